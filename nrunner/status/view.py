"""What the control API may see of a job, and what it may ask of it.

The job implements `JobView`; the API knows nothing else about it. All methods are called on the
event loop and must be quick. Not responsible for HTTP (``app``) nor for keeping events
(``history`` does that for a view).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nrunner.errors import NrunnerError
from nrunner.phase import Phase
from nrunner.record import dataclass, field
from nrunner.results.base import JobReport, TaskReport

__all__ = ["ApiEvent", "JobOver", "JobView", "TaskView"]


class JobOver(NrunnerError):
    """A job cannot be told anything: it is over, or does not hear."""


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task as it is now."""

    number: int
    id: str
    kind: str
    uri: str | None
    reference: str
    suite: str
    phase: Phase
    attempt: int
    """The number of the latest attempt, from 1; 0 before the first."""
    environment: str = ""
    running: float | None = None
    """Seconds since the attempt that runs now has started; None if none runs."""
    report: TaskReport | None = None
    """Once the task is settled."""
    variant: str | None = None
    tags: Mapping[str, list[str] | None] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    """What has to hold before it can start, as people call it."""


@dataclass(frozen=True, slots=True)
class ApiEvent:
    """Something that happened to the job; ids count up from 1."""

    id: int
    kind: str
    """``task_started``, ``task_settled``, ``notice``, ``job_closed``, ..."""
    data: Mapping[str, Any]
    """JSON types only."""
    terminal: bool = False
    """Whether it is the last word on something: such events are kept as long as the job is."""


class JobView(Protocol):
    """The job as the control API sees it."""

    def job(self) -> JobReport:
        """Return the job as it is now."""
        ...

    def is_over(self) -> bool:
        """Whether nothing will happen to the job any more."""
        ...

    def task(self, number: int) -> TaskView | None:
        """Return a task, or None if there is none with that number."""
        ...

    def tasks(self, start: int, limit: int) -> Sequence[TaskView]:
        """Return at most `limit` tasks in order, the first numbered `start` or above."""
        ...

    def log_path(self, number: int, stream: str) -> Path | None:
        """Return where a task's ``stdout`` or ``stderr`` is, or None if it has none (yet)."""
        ...

    def cancel_task(self, number: int) -> bool:
        """Ask for a task to be cancelled; False if it has its verdict already."""
        ...

    def cancel_job(self, *, kill: bool = False) -> None:
        """Ask for the whole job to be cancelled, as Ctrl-C once does, or twice if `kill`.

        Raise JobOver if nothing of it runs any more, or hears.
        """
        ...

    def newest(self) -> int:
        """Return the id of the newest event; 0 if there is none."""
        ...

    def events_after(self, event_id: int, limit: int) -> Sequence[ApiEvent] | None:
        """Return at most `limit` events that followed; None if there never was such an id."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever there are new events, until the function returned is called."""
        ...
