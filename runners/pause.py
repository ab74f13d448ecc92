"""The pause that people make with Ctrl-Z: what runs stands still, and so do its limits.

Not responsible for how processes are stopped (``nrunner.runners.suspension``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from nrunner.runners import killing
from nrunner.runners.attempt import Attempt
from nrunner.runners.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from nrunner.runners.suspension import Suspension

__all__ = ["Pause"]


class Pause:
    """Whether there is one, and since when."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._suspension: Optional[Suspension] = None
        self._since = 0.0

    @property
    def is_on(self) -> bool:
        """Whether all that runs stands still."""
        return self._suspension is not None

    def begin(self, spared: Collection[int]) -> int:
        """Stop all processes but these, and what they start; return how many were stopped."""
        if self._suspension is None:
            from nrunner.runners.suspension import Suspension  # most agents never pause

            self._loop.hold()
            self._since = time.monotonic()
            self._suspension = Suspension(lambda: killing.descendants(spared))
        return len(self._suspension)

    def spread(self) -> None:
        """Stop what was started just as the pause began."""
        if self._suspension is not None:
            self._suspension.sweep()

    def end(self, attempts: Iterable[Attempt]) -> None:
        """Let go on what was stopped of these attempts."""
        if self._suspension is None:
            return
        for attempt in attempts:
            self.count(attempt)
        suspension, self._suspension = self._suspension, None
        suspension.end()
        self._loop.release()

    def count(self, attempt: Attempt) -> None:
        """Note for how long an attempt was stopped until now, or until its end."""
        until = attempt.ended or time.monotonic()
        attempt.paused += max(0.0, until - max(self._since, attempt.began))
