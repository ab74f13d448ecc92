"""Starts that wait for means which are short for the moment: processes, descriptors, memory.

What could not be started is tried again for some seconds before anybody is told that it cannot be.
Not responsible for starting (``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import errno
import time

__all__ = ["PAUSE", "Patience"]

PAUSE = 0.1
"""Seconds between two tries, in which nothing else is started."""
_HOPE = 5.0
"""Seconds after which a start is given up."""
_SHORT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class Patience:
    """Since when which attempt waits."""

    def __init__(self) -> None:
        self._since: dict[tuple[int, int], float] = {}
        self._until = 0.0

    def __bool__(self) -> bool:
        """Whether any attempt waits."""
        return bool(self._since)

    @property
    def is_waiting(self) -> bool:
        """Whether it is too early to start anything."""
        return bool(self._since) and time.monotonic() < self._until

    def hopes(self, key: tuple[int, int], error: OSError) -> bool:
        """Say whether an attempt should be tried again a little later."""
        now = time.monotonic()
        if error.errno not in _SHORT or now - self._since.setdefault(key, now) > _HOPE:
            self.forget(key)
            return False
        self._until = now + PAUSE
        return True

    def forget(self, key: tuple[int, int]) -> None:
        """An attempt waits no longer."""
        self._since.pop(key, None)
