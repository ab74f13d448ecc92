"""Actions: what ``nrunner.machine`` wants to be done, carried out by ``nrunner.scheduler``.

Not responsible for doing it.
"""

from __future__ import annotations

from msgspec import Struct

from nrunner.phase import Phase
from nrunner.result import Verdict
from nrunner.runnable import Requirement
from nrunner.task import Attempt, Task

__all__ = [
    "Action",
    "Fulfil",
    "Move",
    "OpenPlace",
    "Release",
    "Retried",
    "Settle",
    "Start",
    "StopAttempt",
    "StopFulfilment",
    "Triage",
]


class Triage(Struct, frozen=True):
    """Find a place for the task; answered by Triaged or Refused."""

    task: Task
    avoid: tuple[str, ...] = ()
    """Places where it was tried already."""


class Fulfil(Struct, frozen=True):
    """Make a requirement hold at a place; answered by Met or Unmet."""

    place: str
    requirement: Requirement


class StopFulfilment(Struct, frozen=True):
    """Nobody waits for a requirement any more: end what fulfils it, which is not answered then."""

    place: str
    key: str


class OpenPlace(Struct, frozen=True):
    """Open an environment at a pooled place; answered by Opened, Closed or GivenUp."""

    place: str


class Release(Struct, frozen=True):
    """End the environment at a pooled place: nothing more is to run there."""

    place: str


class Start(Struct, frozen=True):
    """Start an attempt; answered by Started and Ended, NotStarted or Broken."""

    task: Task
    attempt: int
    place: str
    follower: Task | None = None
    """Who comes next in its series, as far as can be told now."""


class StopAttempt(Struct, frozen=True):
    """End an attempt early; answered by its Ended, NotStarted or Broken."""

    number: int
    attempt: int
    place: str
    kill: bool


class Move(Struct, frozen=True):
    """Nothing to do: a task entered a phase, for the journal and for whoever watches."""

    number: int
    attempt: int
    phase: Phase
    time: float
    place: str = ""
    """Where an attempt starts."""


class Retried(Struct, frozen=True):
    """Nothing to do: an attempt is over and another will follow, for the journal."""

    number: int
    attempt: Attempt
    alone: bool
    """Whether the next one runs while nothing else does."""


class Settle(Struct, frozen=True):
    """A task has its one verdict: report it."""

    task: Task
    verdict: Verdict
    attempts: tuple[Attempt, ...]
    phases: tuple[tuple[Phase, float], ...]
    place: str


Action = (
    Triage
    | Fulfil
    | StopFulfilment
    | OpenPlace
    | Release
    | Start
    | StopAttempt
    | Move
    | Retried
    | Settle
)
