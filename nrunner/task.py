"""Task, its id, limits and attempts: one occurrence of a Runnable in a job.

Not responsible for where a task is on its way; that is the state kept by ``nrunner.machine``.
"""

from __future__ import annotations

from nrunner.ending import Ending
from nrunner.record import dataclass, field
from nrunner.result import Verdict
from nrunner.runnable import IDEMPOTENT, Runnable

__all__ = ["Attempt", "Task", "TaskLimits", "make_tasks", "task_id"]


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """Bounds that the agent enforces on its own; all in seconds, None for no bound."""

    timeout: float | None = None
    """Hard limit of one attempt."""
    slow: float | None = None
    """After this long a notice is given; the task goes on."""
    silence: float | None = None
    """The longest time without any output."""
    grace: float = 5.0
    """Between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True)
class Task:
    """One occurrence of a Runnable in a job."""

    number: int
    """Its place in the job, from 1; the key by which the code knows it."""
    id: str
    """The name people and status messages use: ``1-/bin/true``, ``02-t.py:T.test;variant``."""
    runnable: Runnable
    reference: str = ""
    """What the user typed that led here."""
    suite: str = ""
    limits: TaskLimits = field(default_factory=TaskLimits)
    retries: int = 0
    """How often it may be tried again after its own failure."""
    idempotent: bool = False
    """Whether running it twice does no harm (so a lost attempt may be repeated)."""
    series: str = ""
    """What it has in common with those that share a process, one after another; empty if none."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at running a task that is over."""

    number: int
    environment: str
    verdict: Verdict
    started: float | None
    """Seconds on the controller's monotonic clock; None if it never started."""
    ended: float
    ending: Ending | None = None
    """What the agent said of it; None if it never ran or nobody could say."""


def task_id(number: int, count: int, name: str, variant: str | None = None) -> str:
    """Return a task's id as Avocado writes it: the number padded to the width of `count`."""
    text = f"{number:0{len(str(count))}d}-{name}"
    return f"{text};{variant}" if variant else text


def make_tasks(
    planned: list[tuple[str, Runnable, str]],
    limits: TaskLimits,
    *,
    suite: str = "",
    first: int = 1,
    count: int | None = None,
    retries: int = 0,
    idempotent: bool = False,
) -> list[Task]:
    """Turn (reference, Runnable, series) into tasks numbered from `first` of `count` in the job.

    Whether they are `idempotent` is said for all that do not say so themselves.
    """
    total = count if count is not None else len(planned)
    return [
        Task(
            number,
            task_id(number, total, runnable.name, runnable.variant_id),
            runnable,
            reference,
            suite,
            limits,
            retries,
            runnable.config.get(IDEMPOTENT, idempotent) is True,
            series,
        )
        for number, (reference, runnable, series) in enumerate(planned, first)
    ]
