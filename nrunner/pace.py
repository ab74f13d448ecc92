"""How much is sent at once over a link whose speed nobody knows.

Others wait for what is on its way: so much that it takes a moment, and no more. Not responsible
for sending.
"""

from __future__ import annotations

__all__ = ["Pace"]

_FEWEST, _MOST = 1 << 14, 1 << 20
_QUICK, _SLOW = 0.5, 3.0
"""Seconds that a piece takes from which the next ones are larger, and smaller."""


class Pace:
    """The size of the next piece, in bytes."""

    def __init__(self, size: int = 1 << 18) -> None:
        self.size = size

    def took(self, seconds: float) -> None:
        """Note how long a piece was on its way."""
        if seconds > _SLOW:
            self.size = max(_FEWEST, self.size // 2)
        elif seconds < _QUICK:
            self.size = min(_MOST, self.size * 2)

    def lost(self) -> None:
        """Note that a piece did not arrive: the link broke, and it may have been too much."""
        self.size = max(_FEWEST, self.size // 4)
