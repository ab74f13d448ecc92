"""What a controller takes over from an earlier one of its job: environments, and what runs there.

Made from a job's history; carried out by ``nrunner.scheduler``. Not responsible for reaching
agents (``nrunner.berth``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrunner.environment import Key
from nrunner.history import History, PastTask
from nrunner.record import dataclass, field
from nrunner.result import Cause, Result, Verdict
from nrunner.task import Task

__all__ = ["MOST_CRASHES", "Adoption", "adoption_of", "lost_verdict"]

MOST_CRASHES = 2
"""How many controllers may die while an attempt is starting before it is given up."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """Nothing by default: for a controller that is the job's first."""

    epoch: int = 1
    """That of this controller: agents refuse older ones."""
    generations: Mapping[str, int] = field(default_factory=dict)
    """How many environments there were, by place."""
    addresses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Where the environment at a place is found, if there may still be one."""
    running: Mapping[str, Mapping[Key, bool]] = field(default_factory=dict)
    """Attempts that were ordered at a place, and whether they are known to have started."""
    tasks: Mapping[Key, Task] = field(default_factory=dict)
    crashes: Mapping[Key, int] = field(default_factory=dict)
    """How many controllers died over an attempt that was starting."""
    tried: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Where tasks that wait were tried before: what is there now is another environment."""

    @property
    def places(self) -> list[str]:
        """Where there is something to take over."""
        return list(dict.fromkeys([*self.addresses, *self.running]))

    def generation(self, place: str) -> int:
        """Return the number of the environment that is, or would be next, at a place."""
        last = self.generations.get(place, 0)
        return last if place in self.addresses else last + 1


def adoption_of(history: History) -> Adoption:
    """Return what is to be taken over of a job, after its history has settled down."""
    running: dict[str, dict[Key, bool]] = {}
    tried: dict[int, frozenset[str]] = {}
    tasks: dict[Key, Task] = {}
    crashes: dict[Key, int] = {}
    for past in history.open.values():
        if past.is_running:
            key = _key(past)
            running.setdefault(past.berth, {})[key] = past.has_started
            tasks[key] = past.task
            crashes[key] = past.crashes
        else:
            tried[past.task.number] = frozenset(each.environment for each in past.attempts)
    addresses = {each.place: each.address for each in history.environments.values()}
    epoch = history.epoch + 1
    return Adoption(epoch, dict(history.generations), addresses, running, tasks, crashes, tried)


def _key(past: PastTask) -> Key:
    return past.task.number, past.attempt


def lost_verdict(why: str, *, begun: bool, crashes: int) -> Verdict:
    """Return the verdict on an attempt that went with its environment, and its controller.

    `begun` says whether user code may have run, `crashes` how often a controller died meanwhile.
    """
    if begun:
        detail = f"its outcome is not known: its controller died, and {why}"
        return Verdict(Result.ERROR, Cause.LOST, detail)
    if crashes >= MOST_CRASHES:
        detail = f"{crashes} controllers died while it was starting"
        return Verdict(Result.ERROR, Cause.LOST, detail)
    return Verdict(Result.ERROR, Cause.INFRA, f"it was not started: its controller died, and {why}")
