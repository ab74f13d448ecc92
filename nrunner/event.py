"""Events: what can happen to tasks, as facts that are fed into ``nrunner.machine``.

Every event carries the second, on the controller's monotonic clock, at which it happened.
Not responsible for what follows from an event.
"""

from __future__ import annotations

from dataclasses import dataclass

from nrunner.ending import Ending
from nrunner.result import Verdict
from nrunner.runnable import Requirement

__all__ = [
    "Begin",
    "Broken",
    "Cancelled",
    "Ended",
    "Event",
    "Met",
    "NotStarted",
    "Refused",
    "Started",
    "StopAll",
    "TaskEvent",
    "Triaged",
    "Unmet",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    time: float


@dataclass(frozen=True, slots=True)
class TaskEvent(Event):
    """Something that happened to one task."""

    number: int


@dataclass(frozen=True, slots=True)
class Begin(Event):
    """The job begins: all its tasks are requested."""


@dataclass(frozen=True, slots=True)
class Triaged(TaskEvent):
    """Triage found a place where the task can run."""

    place: str
    requirements: tuple[Requirement, ...] = ()
    """What must hold there first."""


@dataclass(frozen=True, slots=True)
class Refused(TaskEvent):
    """Triage found no place where the task can run."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Met(Event):
    """A requirement holds at a place."""

    place: str
    key: str


@dataclass(frozen=True, slots=True)
class Unmet(Event):
    """A requirement could not be met at a place."""

    place: str
    key: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Started(TaskEvent):
    """The payload of an attempt runs."""

    attempt: int


@dataclass(frozen=True, slots=True)
class NotStarted(TaskEvent):
    """An attempt ended before any user code ran."""

    attempt: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Ended(TaskEvent):
    """An attempt is over and its agent said how."""

    attempt: int
    ending: Ending


@dataclass(frozen=True, slots=True)
class Broken(TaskEvent):
    """An attempt is over because its environment is gone; nobody can say more."""

    attempt: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Cancelled(TaskEvent):
    """Somebody wants one task to end; `kill` leaves it no time."""

    verdict: Verdict
    kill: bool = False


@dataclass(frozen=True, slots=True)
class StopAll(Event):
    """The whole job has to end: tasks that wait get one verdict, those that run another."""

    waiting: Verdict
    running: Verdict
    kill: bool = False
