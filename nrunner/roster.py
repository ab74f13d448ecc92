"""Who waits for a slot at which place, and who may start now (pure).

A task under which an environment died waits until nothing else runs or could run at its place, and
runs there alone. Not responsible for how many slots there are (``nrunner.limits``), for the order
at one place (``nrunner.line``), nor for which place a task gets.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain

from nrunner.limits import Limits
from nrunner.line import Line
from nrunner.task import Task

__all__ = ["Roster"]


class Roster:
    """All who are ready, by place."""

    def __init__(self, limits: Limits, together: int) -> None:
        """`together` says how many tasks of a series may be ordered at once at a place."""
        self.waiting = 0
        """How many are ready and not started."""
        self._limits = limits
        self._together = together
        self._lines: dict[str, Line] = {}
        self._suspects: dict[str, OrderedDict[int, Task]] = {}
        self._solo: dict[str, int] = {}
        """Who runs alone, by place."""

    def __iter__(self) -> Iterator[int]:
        """Go through the numbers of all who wait."""
        yield from chain(*self._lines.values(), *self._suspects.values())

    def add(self, task: Task, place: str, *, alone: bool) -> None:
        """Let a task wait behind the others."""
        self.waiting += 1
        if alone:
            self._suspects.setdefault(place, OrderedDict())[task.number] = task
        else:
            self._line(place).add(task)

    def remove(self, task: Task, place: str, *, alone: bool) -> None:
        """Take a task out that will not be started."""
        self.waiting -= 1
        if alone:
            del self._suspects[place][task.number]
        else:
            self._lines[place].remove(task)

    def take_over(self, task: Task, place: str, *, alone: bool) -> None:
        """Note a task that runs already."""
        self._limits.take(place)
        if alone:
            self._solo[place] = task.number
        else:
            line = self._line(place)
            line.add(task)
            line.order(task)

    def pop(self) -> Task | None:
        """Return somebody who may start now, with a slot that is theirs until `give_back`."""
        for place, line in self._lines.items():
            task = line.first() if place not in self._solo else None
            if task is not None and self._limits.try_take(place):
                line.order(task)
                self.waiting -= 1
                return task
        for place, suspects in self._suspects.items():
            if suspects and self._limits.used(place) == 0 and self._limits.try_take(place):
                number, task = suspects.popitem(last=False)
                self._solo[place] = number
                self.waiting -= 1
                return task
        return None

    def give_back(self, task: Task, place: str) -> None:
        """Note that a task that was started is over."""
        self._limits.give_back(place)
        if self._solo.get(place) == task.number:
            del self._solo[place]
        else:
            self._lines[place].done(task)

    def room(self, place: str) -> int:
        """How many more tasks would start at once at a place if they were ready."""
        if place in self._solo:
            return 0
        line = self._lines.get(place)
        eager = line.eager if line is not None else 0
        return self._limits.free(place) - eager - len(self._suspects.get(place, ()))

    def is_awaited(self, place: str) -> bool:
        """Whether anybody waits for a slot at a place."""
        line = self._lines.get(place)
        return bool(self._suspects.get(place)) or (line is not None and any(True for _ in line))

    def _line(self, place: str) -> Line:
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = Line(self._together)
        return line
