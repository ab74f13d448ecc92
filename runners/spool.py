"""Events that the controller has not acknowledged yet.

Numbered from 1 without gaps; replayed after a reconnect from the last acknowledged one. Bounded
by what the controller asked for: each attempt makes a handful of events. Not responsible for
sending them.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Spool"]


class Spool:
    """A queue of numbered, encoded events."""

    def __init__(self) -> None:
        self.last = 0
        """Number of the newest event."""
        self._kept: deque[tuple[int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    def next_number(self) -> int:
        """Return the number that the event added next will have."""
        return self.last + 1

    def add(self, frame: bytes) -> None:
        """Keep an encoded event until it is acknowledged."""
        self.last += 1
        self._kept.append((self.last, frame))

    def acknowledge(self, number: int) -> None:
        """Drop all events up to and including `number`."""
        while self._kept and self._kept[0][0] <= number:
            self._kept.popleft()

    def replay(self, after: int) -> list[bytes]:
        """Return the kept events that are newer than `after`, oldest first."""
        return [frame for number, frame in self._kept if number > after]
