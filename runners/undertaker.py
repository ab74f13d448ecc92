"""The end of an attempt once its main process has ended, or is to: nothing of it may live on.

What it started may end by itself for a moment; then it is a leak, and gets TERM, a grace, and KILL
again and again until nobody is left. Not responsible for why an attempt ends, nor for what comes of
it (``nrunner.runners.supervisor``), nor for whose a process is (``nrunner.runners.kin``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping

from nrunner.runners import killing
from nrunner.runners.attempt import Attempt, Stage
from nrunner.runners.kin import Kin
from nrunner.runners.loop import Loop

__all__ = ["Undertaker"]

_LINGER = 0.2
"""Seconds in which what a test started may end by itself before it is called a leak."""
_LEAK_GRACE = 0.5
_KILL_FOR = 5.0
"""Seconds after which a process that SIGKILL does not end is called unkillable."""
_MOST_NAMED = 100


class Undertaker:
    """Sees to it that attempts end completely."""

    def __init__(
        self,
        loop: Loop,
        kin: Kin,
        attempts: Mapping[tuple[int, int], Attempt],
        conclude: Callable[[Attempt], None],
    ) -> None:
        """`conclude` is called with each attempt of which nothing is left."""
        self._loop = loop
        self._kin = kin
        self._attempts = attempts
        self._conclude = conclude

    def main_ended(self, attempt: Attempt, *, hurries: bool = False) -> None:
        """Look for what the main process left; `hurries` says that nobody waits for that."""
        if attempt.stage is Stage.DONE:
            return
        if not self._kin.has_left(attempt):
            self._conclude(attempt)
        elif hurries:
            self.kill(attempt)
        elif attempt.stage is Stage.RUNNING:
            attempt.stage = Stage.LINGERING
            attempt.timers.append(self._loop.after(_LINGER, lambda: self._find_leaks(attempt)))

    def look_again(self) -> None:
        """Look whether those whose main process has ended have lost the rest, too."""
        for attempt in list(self._attempts.values()):
            if attempt.end is not None:
                self._look_at(attempt)

    def terminate(self, attempt: Attempt) -> None:
        """Ask all that lives of an attempt to end, and kill it after its grace."""
        killing.signal_all(self._kin.members(attempt), signal.SIGTERM)
        self._kill_after(attempt.order.limits.grace, attempt)

    def kill(self, attempt: Attempt) -> None:
        """Kill all that lives of an attempt until nobody is left."""
        if attempt.stage not in (Stage.DONE, Stage.KILLING):
            attempt.stage = Stage.KILLING
            self._kill_round(attempt, time.monotonic() + _KILL_FOR, 0.005)

    def _look_at(self, attempt: Attempt) -> None:
        if attempt.stage is not Stage.DONE and not self._kin.left(attempt):
            self._conclude(attempt)

    def _find_leaks(self, attempt: Attempt) -> None:
        if attempt.stage is not Stage.LINGERING:
            return
        left = self._kin.left(attempt)
        attempt.leaks = [killing.describe(process) for process in left[:_MOST_NAMED]]
        killing.signal_all(left, signal.SIGTERM)
        self._kill_after(min(_LEAK_GRACE, attempt.order.limits.grace), attempt)
        self._look_at(attempt)

    def _kill_after(self, grace: float, attempt: Attempt) -> None:
        attempt.timers.append(self._loop.after(grace, lambda: self.kill(attempt)))

    def _kill_round(self, attempt: Attempt, until: float, pause: float) -> None:
        if attempt.stage is Stage.DONE:
            return
        self._catch(attempt)
        left = self._kin.left(attempt)
        if not left and attempt.end is not None:
            self._conclude(attempt)
        elif time.monotonic() > until:
            attempt.unkillable = [killing.describe(process) for process in left[:_MOST_NAMED]]
            self._conclude(attempt)
        else:
            self._kin.kill(attempt, left)
            self._loop.after(pause, lambda: self._kill_round(attempt, until, min(pause * 2, 0.5)))

    def _catch(self, attempt: Attempt) -> None:
        """Kill what flees; others may have lost what was waited for on the way."""
        self._kin.catch(attempt)
        for each in list(self._attempts.values()):
            if each.end is not None and each is not attempt:
                self._look_at(each)
