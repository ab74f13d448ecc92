"""Actions: what ``nrunner.machine`` wants to be done, carried out by ``nrunner.scheduler``.

Not responsible for doing it.
"""

from __future__ import annotations

from dataclasses import dataclass

from nrunner.phase import Phase
from nrunner.result import Verdict
from nrunner.runnable import Requirement
from nrunner.task import Attempt, Task

__all__ = ["Action", "Fulfil", "Move", "Settle", "Start", "StopAttempt", "Triage"]


@dataclass(frozen=True, slots=True)
class Triage:
    """Find a place for the task; answered by Triaged or Refused."""

    task: Task
    avoid: tuple[str, ...] = ()
    """Places where it was tried already."""


@dataclass(frozen=True, slots=True)
class Fulfil:
    """Make a requirement hold at a place; answered by Met or Unmet."""

    place: str
    requirement: Requirement


@dataclass(frozen=True, slots=True)
class Start:
    """Start an attempt; answered by Started and Ended, NotStarted or Broken."""

    task: Task
    attempt: int
    place: str


@dataclass(frozen=True, slots=True)
class StopAttempt:
    """End an attempt early; answered by its Ended, NotStarted or Broken."""

    number: int
    attempt: int
    place: str
    kill: bool


@dataclass(frozen=True, slots=True)
class Move:
    """Nothing to do: a task entered a phase, for the journal and for whoever watches."""

    number: int
    attempt: int
    phase: Phase
    time: float


@dataclass(frozen=True, slots=True)
class Settle:
    """A task has its one verdict: report it."""

    task: Task
    verdict: Verdict
    attempts: tuple[Attempt, ...]
    phases: tuple[tuple[Phase, float], ...]
    place: str


Action = Triage | Fulfil | Start | StopAttempt | Move | Settle
