"""Cutting a byte stream into lines, with a bound on what incomplete lines may hold.

A line may be long (all output of a test in one message), so the bound is no length but a budget
that all connections share. Not responsible for sockets, nor for what is in a line.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Budget", "Line", "Lines"]

Line = bytes | bytearray

_FREE = 64 * 1024
"""Bytes each stream may hold outside the budget, so that one greedy peer starves no other."""


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

    def __init__(self, budget: Budget, refused: Callable[[Line], None]) -> None:
        self._budget = budget
        self._refused = refused
        self._tail = bytearray()
        self._charged = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that `data` completes, without their newlines."""
        lines: list[Line] = [*data.split(b"\n")]
        rest = lines.pop()
        if lines and (self._tail or self._skipping):
            self._hold(lines[0])
            lines[:1] = self.finish()
        if rest:
            self._hold(rest)
        return lines

    def finish(self) -> list[Line]:
        """End the line that is held, as a newline or the end of the stream does; return it."""
        self._skipping = False
        return [self._release()] if self._tail else []

    def _hold(self, data: Line) -> None:
        if self._skipping:
            return
        excess = len(self._tail) + len(data) - _FREE - self._charged
        if excess > 0:
            if not self._budget.take(excess):
                self._refused(bytes((self._tail or data)[:_FREE]))
                self._release()
                self._skipping = True
                return
            self._charged += excess
        self._tail += data

    def _release(self) -> bytearray:
        line, self._tail = self._tail, bytearray()
        self._budget.give(self._charged)
        self._charged = 0
        return line
