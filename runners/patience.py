"""Starts that wait for means which are short for the moment: processes, descriptors, memory.

What could not be started is tried again for some seconds before anybody is told that it cannot be.
Not responsible for starting (``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import errno
import time

__all__ = ["PAUSE", "Patience", "is_passing"]

PAUSE = 0.1
"""Seconds between two tries, in which nothing else is started."""
_HOPE = 5.0
"""Seconds after which a start is given up."""
_SHORT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


def is_passing(error: Exception) -> bool:
    """Whether what could not be started may be started a little later."""
    return isinstance(error, OSError) and error.errno in _SHORT


class Patience:
    """Since when which attempt waits."""

    def __init__(self) -> None:
        self._since: dict[tuple[int, int], float] = {}
        self._until = 0.0
        self._is_in_vain = False
        """Whether somebody has waited in vain, and nobody was started since."""

    def __bool__(self) -> bool:
        """Whether there is anything to forget once an attempt is started."""
        return bool(self._since) or self._is_in_vain

    @property
    def is_waiting(self) -> bool:
        """Whether it is too early to start anything."""
        return bool(self._since) and time.monotonic() < self._until

    def hopes(self, key: tuple[int, int], error: OSError) -> bool:
        """Say whether an attempt should be tried again a little later.

        Where one has waited in vain, the others do not wait as long one after the other.
        """
        now = time.monotonic()
        if is_passing(error) and not self._is_in_vain:
            if now - self._since.setdefault(key, now) <= _HOPE:
                self._until = now + PAUSE
                return True
            self._is_in_vain = True
        self._since.pop(key, None)
        return False

    def forget(self, key: tuple[int, int]) -> None:
        """An attempt is started: there are means again."""
        self._since.pop(key, None)
        self._is_in_vain = False
