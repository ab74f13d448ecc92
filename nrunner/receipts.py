"""Which events of an agent may be acknowledged: all up to the first that is not dealt with yet.

An agent forgets what is acknowledged, and whoever goes on with the job hears the rest again. So an
event whose files are not here yet holds back the acknowledgement of all that follow it, though not
what follows from them. Not responsible for what an event says.
"""

from __future__ import annotations

__all__ = ["Receipts"]


class Receipts:
    """The numbers of events that were heard: of those to come, and those that are dealt with."""

    def __init__(self) -> None:
        self._open: dict[int, None] = {}
        """Heard and not dealt with, in their order."""
        self._last = 0
        self.told = 0
        """Up to which event the last one was acknowledged."""

    def expect(self, number: int) -> None:
        """Note an event that was heard: numbers rise."""
        self._open[number] = None
        self._last = number

    def settle(self, number: int) -> None:
        """Note that an event is dealt with: what follows from it is recorded."""
        self._open.pop(number, None)

    def due(self) -> int | None:
        """Return up to which event can be acknowledged now, None if nothing is new."""
        number = next(iter(self._open)) - 1 if self._open else self._last
        if number <= self.told:
            return None
        self.told = number
        return number
