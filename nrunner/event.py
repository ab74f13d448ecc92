"""Events: what can happen to tasks, as facts that are fed into ``nrunner.machine``.

Every event carries the second, on the controller's monotonic clock, at which it happened.
Not responsible for what follows from an event.
"""

from __future__ import annotations

from msgspec import Struct

from nrunner.ending import Ending
from nrunner.result import Verdict
from nrunner.runnable import Requirement

__all__ = [
    "Begin",
    "Broken",
    "Cancelled",
    "Closed",
    "Ended",
    "Event",
    "GivenUp",
    "Met",
    "NotStarted",
    "Opened",
    "PlaceEvent",
    "Refused",
    "Started",
    "StopAll",
    "TaskEvent",
    "Triaged",
    "Unmet",
    "Usable",
]


class Event(Struct, frozen=True):
    """Something that happened."""

    time: float


class TaskEvent(Event, frozen=True):
    """Something that happened to one task."""

    number: int


class Begin(Event, frozen=True):
    """The job begins: all its tasks are requested."""


class Triaged(TaskEvent, frozen=True):
    """Triage found a place where the task can run."""

    place: str
    requirements: tuple[Requirement, ...] = ()
    """What must hold there first."""
    others: tuple[str, ...] = ()
    """Further places, as good as the first, if all of them are pooled."""


class Refused(TaskEvent, frozen=True):
    """Triage found no place where the task can run."""

    verdict: Verdict


class Met(Event, frozen=True):
    """A requirement holds at a place."""

    place: str
    key: str


class Unmet(Event, frozen=True):
    """A requirement could not be met at a place."""

    place: str
    key: str
    verdict: Verdict


class PlaceEvent(Event, frozen=True):
    """Something that happened to a pooled place."""

    place: str


class Opened(PlaceEvent, frozen=True):
    """An environment is open there."""


class Closed(PlaceEvent, frozen=True):
    """It is in trouble, and left alone until it is `Usable`."""

    reason: str


class Usable(PlaceEvent, frozen=True):
    """It may be opened again."""


class GivenUp(PlaceEvent, frozen=True):
    """It is not opened any more in this job."""

    reason: str


class Started(TaskEvent, frozen=True):
    """The payload of an attempt runs."""

    attempt: int


class NotStarted(TaskEvent, frozen=True):
    """An attempt ended before any user code ran."""

    attempt: int
    verdict: Verdict


class Ended(TaskEvent, frozen=True):
    """An attempt is over and its agent said how."""

    attempt: int
    ending: Ending


class Broken(TaskEvent, frozen=True):
    """An attempt is over because its environment is gone; nobody can say more."""

    attempt: int
    verdict: Verdict


class Cancelled(TaskEvent, frozen=True):
    """Somebody wants one task to end; `kill` leaves it no time."""

    verdict: Verdict
    kill: bool = False


class StopAll(Event, frozen=True):
    """The whole job has to end: tasks that wait get one verdict, those that run another."""

    waiting: Verdict
    running: Verdict
    kill: bool = False
