"""Cutting a byte stream into lines, with a bound on what incomplete lines may hold.

A line may be long (all output of a test in one message), so the bound is a budget that all
connections share. Beyond `LONGEST` a line has to be long for one value in base64, which is decoded
as it comes (``nrunner.runners.long_line``): so no line takes long to read when it is complete, nor
becomes a multiple of itself. Not responsible for sockets, nor for what is in a line.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional, Union

from nrunner.runners.long_line import LongLine

__all__ = ["LONGEST", "Budget", "Line", "Lines"]

Line = Union[bytes, bytearray, LongLine]

LONGEST = 1 << 20
"""Bytes of a line apart from one value in base64."""
_FREE = 64 * 1024
"""Bytes each stream may hold outside the budget, so that one greedy peer starves no other."""
_BEGINNING = 120


class Budget:
    """Bytes that all streams together may hold."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> bool:
        """Reserve `size` bytes, if there are so many left."""
        if self.held + size > self.limit:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        """Return what was taken."""
        self.held -= size


class Lines:
    """The incomplete line of one stream; `refused` is told the beginning of one too long."""

    def __init__(self, budget: Budget, refused: Callable[[bytes], None]) -> None:
        self._budget = budget
        self._refused = refused
        self._tail = bytearray()
        self._long: Optional[LongLine] = None
        """What is held instead of the tail, once that would be too long."""
        self._size = 0
        self._charged = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that `data` completes, without their newlines."""
        lines: list[Line] = [*data.split(b"\n")]
        rest = lines.pop()
        if lines and (self._size or self._skipping):
            self._hold(lines[0])
            lines[:1] = self.finish()
        if rest:
            self._hold(rest)
        return lines

    def finish(self) -> list[Line]:
        """End the line that is held, as a newline or the end of the stream does; return it."""
        self._skipping = False
        return [self._release()] if self._size else []

    def _hold(self, data: Line) -> None:
        assert not isinstance(data, LongLine)
        if self._skipping:
            return
        self._size += len(data)
        excess = self._size - _FREE - self._charged
        if excess > 0:
            if not self._budget.take(excess):
                self._refuse(bytes((self._tail or data)[:_BEGINNING]))
                return
            self._charged += excess
        if self._long is None and self._size <= LONGEST:
            self._tail += data
        elif not self._hold_long(data):
            self._refuse(bytes(self._tail[:_BEGINNING]))

    def _hold_long(self, data: Union[bytes, bytearray]) -> bool:
        if self._long is None:
            self._long = LongLine()
            data, self._tail = self._tail + data, self._tail[:_BEGINNING]
        return self._long.feed(data, LONGEST)

    def _refuse(self, beginning: bytes) -> None:
        self._refused(beginning)
        self._release()
        self._skipping = True

    def _release(self) -> Line:
        line = self._tail if self._long is None else self._long
        self._tail, self._long, self._size = bytearray(), None, 0
        self._budget.give(self._charged)
        self._charged = 0
        return line
