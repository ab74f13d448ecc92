"""Where tasks wait: for one of several places, to be prepared at one, for a slot there (pure).

Keeps `TaskState`s in the right queue; moves none from phase to phase. Not responsible for what
follows from an event (``nrunner.machine``), nor for each sort of queue (``nrunner.pool``,
``nrunner.graph``, ``nrunner.roster``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from nrunner.graph import Preparations
from nrunner.limits import Limits
from nrunner.phase import Phase
from nrunner.pool import Choice, Pool, Readiness
from nrunner.roster import Roster
from nrunner.runnable import Requirement
from nrunner.taskstate import TaskState

__all__ = ["Waiting", "waits_at"]


class Waiting:
    """All tasks of a job that are triaged and do not run."""

    def __init__(self, limits: Limits, together: int, pooled: Mapping[str, int]) -> None:
        """`together` and `pooled` are those of the machine."""
        self.roster = Roster(limits, together)
        self.pool = Pool(pooled)
        self.preparations = Preparations()
        self._limits = limits
        self._preparing: Counter[str] = Counter()
        """How many are being prepared, by place."""

    @property
    def count(self) -> int:
        """How many wait for a place or a slot."""
        return self.roster.waiting + len(self.pool)

    def enter_pool(self, state: TaskState, *, first: bool = False) -> None:
        """Let a task wait for one of the places of its choice."""
        choice = Choice(state.choice, prepares=bool(state.requirements))
        self.pool.add(state.task.number, choice, first=first)

    def prepare(self, state: TaskState, place: str) -> tuple[bool, Sequence[Requirement]]:
        """Bind a task to a place; return whether all holds there, and what has to be begun."""
        state.place = place
        return self.preparations.need(state.task.number, place, state.requirements)

    def queue(self, state: TaskState) -> None:
        """Let a task wait for a slot at its place."""
        self.roster.add(state.task, state.place, alone=state.alone)

    def moves(self, state: TaskState, target: Phase) -> None:
        """Note that a task goes from its phase to another."""
        if target is Phase.PREPARING:
            self._preparing[state.place] += 1
        elif state.phase is Phase.PREPARING:
            self._preparing[state.place] -= 1

    def withdraw(self, state: TaskState) -> bool:
        """Take a task out of wherever it waits; return whether it was in a queue here."""
        number = state.task.number
        self.preparations.forget(number)
        if number in self.pool:
            self.pool.remove(number)
        elif state.phase is Phase.READY:
            self.roster.remove(state.task, state.place, alone=state.alone)
        else:
            return state.phase is Phase.PREPARING
        return True

    def next_bound(self) -> tuple[int, str] | None:
        """Take out of the pool who has waited longest for the place that has most room."""
        if not len(self.pool) or self._limits.taken >= self._limits.most:
            return None
        rooms = [(self.roster.room(place), place) for place in self.pool.open_places]
        for room, place in sorted((each for each in rooms if each[0] > 0), key=_room, reverse=True):
            number = self.pool.take(place, may_prepare=room > self._preparing[place])
            if number is not None:
                return number, place
        return None

    def wanted(self) -> list[str]:
        """Return the pooled places that are to be opened now."""
        return self.pool.open_more(self._limits.most) if len(self.pool) else []

    def unwanted(self) -> list[str]:
        """Return the pooled places that are to be released: of all tasks, none waits for them.

        For when all tasks are triaged; one that runs elsewhere may have them opened again.
        """
        found = [each for each in self.pool.open_places if self._is_unwanted(each)]
        for place in found:
            self.pool.note(place, Readiness.CLOSED)
            self.preparations.leave(place)
        return found

    def _is_unwanted(self, place: str) -> bool:
        is_idle = self._limits.used(place) == 0 and not self._preparing[place]
        return is_idle and not self.roster.is_awaited(place) and not self.pool.is_awaited(place)

    def bar(self, place: str, reason: str) -> None:
        """Bind nothing more to a pooled place, where nothing holds any more."""
        self.pool.note(place, Readiness.BARRED, reason)
        self.preparations.leave(place)

    def is_ready_for(self, state: TaskState) -> bool:
        """Whether the place of a task's last attempt suits the next one as it is."""
        place, pool = state.place, self.pool
        is_closed = pool.has(place) and pool.readiness(place) is not Readiness.OPEN
        return not is_closed and self.preparations.holds(place, state.needs)


def _room(found: tuple[int, str]) -> int:
    return found[0]


def waits_at(states: Iterable[TaskState], place: str) -> list[TaskState]:
    """Return those that are bound to a place and do not run."""
    bound = (Phase.PREPARING, Phase.READY)
    return [each for each in states if each.place == place and each.phase in bound]
