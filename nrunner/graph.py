"""Order between tasks, and requirements they share: what must come first (pure).

`Order` knows which suites wait for which, `Followers` who comes next in a series; `Preparations`
makes sure that one requirement is fulfilled once per place, whoever else needs it joins and waits.
Not responsible for fulfilling.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence

from nrunner.record import dataclass, field
from nrunner.runnable import Requirement
from nrunner.task import Task

__all__ = ["Followers", "Order", "Preparation", "Preparations"]


class Order:
    """Suites one after another, in the order of their first task, or all at once."""

    def __init__(self, tasks: Sequence[Task], *, in_order: bool) -> None:
        self._groups: list[list[int]] = []
        self._group_of: dict[str, int] = {}
        for task in tasks:
            name = task.suite if in_order else ""
            index = self._group_of.setdefault(name, len(self._groups))
            if index == len(self._groups):
                self._groups.append([])
            self._groups[index].append(task.number)
        self._left = [len(group) for group in self._groups]
        self._open = 0
        self._in_order = in_order

    def first(self) -> Sequence[int]:
        """Return the tasks that wait for nothing."""
        return self._groups[0] if self._groups else ()

    def ended(self, task: Task) -> Sequence[int]:
        """Note that a task is settled; return the tasks that this frees."""
        index = self._group_of[task.suite if self._in_order else ""]
        self._left[index] -= 1
        freed: list[int] = []
        while self._open < len(self._groups) and self._left[self._open] == 0:
            self._open += 1
            if self._open < len(self._groups):
                freed.extend(self._groups[self._open])
        return freed


class Followers:
    """Who comes next in a series: the order in which tasks that share a process are planned."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._series: dict[str, list[Task]] = {}
        self._index: dict[int, int] = {}
        for task in tasks:
            if task.series:
                members = self._series.setdefault(task.series, [])
                self._index[task.number] = len(members)
                members.append(task)

    def next_of(self, task: Task, may_follow: Callable[[int], bool]) -> Task | None:
        """Return the first after `task` in its series whose number `may_follow`."""
        if not task.series:
            return None
        members = self._series[task.series]
        for index in range(self._index[task.number] + 1, len(members)):
            if may_follow(members[index].number):
                return members[index]
        return None


class Preparation(enum.Enum):
    """How far a requirement is at one place."""

    RUNNING = "running"
    MET = "met"


@dataclass(slots=True)
class _Entry:
    state: Preparation
    waiting: dict[int, None] = field(default_factory=dict)


class Preparations:
    """Which requirement is being fulfilled where, and who waits for it."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._needs: dict[int, set[tuple[str, str]]] = {}
        self._left: set[tuple[str, str]] = set()
        """For which somebody has stopped to wait."""

    def need(
        self, number: int, place: str, requirements: Iterable[Requirement]
    ) -> tuple[bool, list[Requirement]]:
        """Note what a task needs at `place`.

        Return whether all of it is met already, and the requirements whose fulfilment nobody
        has begun: the caller begins them.
        """
        begin: list[Requirement] = []
        waits: set[tuple[str, str]] = set()
        for requirement in requirements:
            key = (place, requirement.key)
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(Preparation.RUNNING)
                begin.append(requirement)
            if entry.state is Preparation.RUNNING:
                entry.waiting[number] = None
                waits.add(key)
        if waits:
            self._needs[number] = waits
        return not waits, begin

    def met(self, place: str, key: str) -> list[int]:
        """Note that a requirement holds; return the tasks for which it was the last."""
        entry = self._entries.get((place, key))
        if entry is None:
            return []
        entry.state = Preparation.MET
        waiting, entry.waiting = entry.waiting, {}
        return [number for number in waiting if self._crossed_off(number, (place, key))]

    def failed(self, place: str, key: str) -> list[int]:
        """Note that a fulfilment failed (never cached); return the tasks that waited for it."""
        entry = self._entries.pop((place, key), None)
        if entry is None:
            return []
        for number in entry.waiting:
            self.forget(number)
        return list(entry.waiting)

    def forget(self, number: int) -> None:
        """A task waits no longer (it was cancelled)."""
        for key in self._needs.pop(number, ()):
            entry = self._entries.get(key)
            if entry is not None:
                entry.waiting.pop(number, None)
                self._left.add(key)

    def drop_unwanted(self) -> list[tuple[str, str]]:
        """Return what is being fulfilled for nobody any more, place and key: it counts no more."""
        if not self._left:
            return []
        left, self._left = self._left, set()
        unwanted = sorted(key for key in left if self._is_unwanted(self._entries.get(key)))
        for key in unwanted:
            del self._entries[key]
        return unwanted

    @staticmethod
    def _is_unwanted(entry: _Entry | None) -> bool:
        return entry is not None and entry.state is Preparation.RUNNING and not entry.waiting

    def holds(self, place: str, keys: Iterable[str]) -> bool:
        """Whether all of these requirements are met at a place."""
        entries = (self._entries.get((place, key)) for key in keys)
        return all(entry is not None and entry.state is Preparation.MET for entry in entries)

    def leave(self, place: str) -> set[str]:
        """Note that what is at a place now is new; return what held there and does no more.

        What is being fulfilled is still to be answered, by whoever does it.
        """
        entries = self._entries.items()
        gone = {k for (p, k), entry in entries if p == place and entry.state is Preparation.MET}
        for key in gone:
            del self._entries[place, key]
        return gone

    def _crossed_off(self, number: int, key: tuple[str, str]) -> bool:
        needs = self._needs.get(number)
        if needs is None:
            return False
        needs.discard(key)
        if needs:
            return False
        del self._needs[number]
        return True
