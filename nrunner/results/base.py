"""The contract of a result plugin, and the reports it is given.

Two sorts of plugin: a `Listener` hears about a running job (the console), a `ResultWriter` writes
a file after it (JSON, TAP, ...). Both get the same frozen reports, which come from the journal.
Not responsible for any format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from nrunner.phase import Phase
from nrunner.record import dataclass, field
from nrunner.result import Cause, Result
from nrunner.task import Task

__all__ = [
    "AttemptReport",
    "JobReport",
    "Listener",
    "ResultWriter",
    "TaskReport",
    "report_options",
]


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """One try at running a task, as reports show it."""

    number: int
    environment: str
    result: Result
    cause: Cause
    detail: str
    time_start: float | None
    """Seconds since the epoch; None if it never started."""
    time_end: float
    elapsed: float
    """Seconds, from the monotonic clock of the host it ran on."""
    returncode: int | None = None
    core: bool = False
    layer: str = ""
    """What kept hold of its processes: ``cgroup``, ``subreaper`` or ``session``."""
    leaks: tuple[Mapping[str, Any], ...] = ()
    """Processes that outlived it: pid, command, age in seconds."""
    doing: str = ""
    """What it was doing when it passed a limit, in a few words."""
    unkillable: tuple[Mapping[str, Any], ...] = ()
    """Processes that a SIGKILL did not end: pid, command, kernel wait channel."""


@dataclass(frozen=True, slots=True)
class TaskReport:
    """Everything reports say about one task; made once, when it is settled."""

    number: int
    id: str
    reference: str
    suite: str
    kind: str
    uri: str | None
    variant: str | None
    tags: Mapping[str, list[str] | None]
    result: Result
    cause: Cause
    detail: str
    """The reason in one line or more; empty for a plain PASS."""
    attempts: tuple[AttemptReport, ...]
    phases: tuple[tuple[Phase, float], ...]
    """Each phase with the second, since the job began, at which it was entered."""
    time_start: float
    """Seconds since the epoch: when the last attempt started, or it was settled."""
    time_end: float
    elapsed: float
    environment: str = ""
    returncode: int | None = None
    class_name: str | None = None
    fail_class: str | None = None
    traceback: str | None = None
    whiteboard: str = ""
    log_dir: str | None = None
    """Relative to the job's folder; None if the task left no files."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Name (``stdout``, ``stderr``, ``debug.log``, ...) to path relative to the job's folder."""
    requirements: tuple[str, ...] = ()
    """What had to hold before it could start, as people call it."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """What reports say about the job as a whole."""

    id: str
    folder: Path
    command: tuple[str, ...]
    total: int
    time_start: float
    """Seconds since the epoch."""
    elapsed: float = 0.0
    tally: Mapping[Result, int] = field(default_factory=dict)
    causes: Mapping[Cause, int] = field(default_factory=dict)
    exit_code: int = 0
    interrupted: str = ""
    """Why the job was cut short (``job timeout``, ``interrupted by user``, ...), or empty."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Counters for the curious: refused messages, shuffle seed, ..."""
    loop_lag_max: float | None = None
    """How late the controller's event loop was at worst, in seconds; None before the job's end."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The settings ``results.*`` that were made: how its reports are to be."""


def report_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a job's settings that say how its reports are to be."""
    return {key: value for key, value in config.items() if key.startswith("results.")}


class Listener(Protocol):
    """Hears about a running job, on the event loop: must be quick and must not raise.

    One that people look at may offer more: ``tell(lines)`` shows an answer to a question,
    ``page_served(link)`` where the job's page is, the coroutine ``animate()`` keeps it fresh until
    it is cancelled, ``suspend()`` and ``resume()`` leave its terminal to others and return to it.
    """

    def job_opened(self, job: JobReport) -> None:
        """The job's folder is there and tasks are about to start."""
        ...

    def task_started(self, task: Task, time: float) -> None:
        """An attempt's payload runs since `time` (controller's monotonic clock)."""
        ...

    def task_settled(self, report: TaskReport) -> None:
        """A task has its verdict."""
        ...

    def notice(self, text: str) -> None:
        """Something people should know: a slow test, a refused message, Ctrl-C heard."""
        ...

    def flush(self) -> None:
        """A batch of the calls above is complete: now is the time to write."""
        ...

    def job_closed(self, job: JobReport) -> None:
        """All tasks are settled and all reports are written."""
        ...


class ResultWriter(Protocol):
    """Writes one format."""

    name: str
    description: str
    file_name: str
    """Name of its file in the job's folder, or empty if it writes only where it is asked to."""

    def write(self, job: JobReport, tasks: Iterable[TaskReport], stream: IO[str]) -> None:
        """Write the report; `tasks` come in order of their numbers and may be read once."""
        ...
