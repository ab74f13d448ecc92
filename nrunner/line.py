"""Who waits for a slot at one place, in order (pure).

Of the tasks of a series only so many are ordered at once: they run one after another, and the
others would only keep slots from those who can run beside them. Not responsible for the slots;
those are counted by ``nrunner.limits``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from nrunner.task import Task

__all__ = ["Line"]


class Line:
    """Tasks by number; leaving from the middle costs no search."""

    def __init__(self, together: int) -> None:
        """`together` says how many tasks of a series may be ordered at once."""
        self._together = together
        self._waiting: OrderedDict[int, Task] = OrderedDict()
        self._parked: dict[str, OrderedDict[int, Task]] = {}
        """Those of a series of which enough are ordered."""
        self._ordered: dict[str, int] = {}

    def __iter__(self) -> Iterator[int]:
        """Go through the numbers of all who wait."""
        yield from self._waiting
        for parked in self._parked.values():
            yield from parked

    @property
    def eager(self) -> int:
        """How many wait, as far as is known, for nothing but a slot."""
        return len(self._waiting)

    def add(self, task: Task) -> None:
        """Let a task wait behind the others."""
        self._waiting[task.number] = task

    def remove(self, task: Task) -> None:
        """Take a task out that will not be ordered."""
        if self._waiting.pop(task.number, None) is None:
            self._unpark(task)

    def first(self) -> Task | None:
        """Return the one whose turn it is, None if nobody may be ordered now."""
        while self._waiting:
            task = next(iter(self._waiting.values()))
            if not task.series or self._ordered.get(task.series, 0) < self._together:
                return task
            self._parked.setdefault(task.series, OrderedDict())[task.number] = task
            del self._waiting[task.number]
        return None

    def order(self, task: Task) -> None:
        """Note that a task that waited is ordered: `done` has to follow."""
        del self._waiting[task.number]
        if task.series:
            self._ordered[task.series] = self._ordered.get(task.series, 0) + 1

    def done(self, task: Task) -> None:
        """Note that an ordered task is over; the next of its series waits in front."""
        if not task.series:
            return
        self._ordered[task.series] -= 1
        if not self._ordered[task.series]:
            del self._ordered[task.series]
        parked = self._parked.get(task.series)
        if parked:
            other = next(iter(parked.values()))
            self._unpark(other)
            self._waiting[other.number] = other
            self._waiting.move_to_end(other.number, last=False)

    def _unpark(self, task: Task) -> None:
        parked = self._parked[task.series]
        del parked[task.number]
        if not parked:
            del self._parked[task.series]
