"""Watches one payload on behalf of a runner executable: heartbeats, and its end.

A SIGTERM or SIGINT to this process ends the payload's whole session: TERM, a grace, KILL.
Not responsible for starting it (``nrunner.runners.child``), nor for timeouts: whoever called the
executable has them.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any, Optional

from nrunner.runners.base import Exit
from nrunner.runners.child import exit_of

__all__ = ["Watch"]

_BEAT = 0.5
_GRACE = 2.0
"""Shorter than what callers give us, so that there is time left to report."""
_KILL_FOR = 5.0


class Watch:
    """Turns this process's signals into something that can be waited for."""

    def __init__(self) -> None:
        self.stopped: Optional[int] = None
        """The signal that asked this process to end."""
        self._woken, write = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _wake)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def until_end(self, pid: int, beat: Callable[[], None]) -> Exit:
        """Wait for the end of a child that leads a session; call `beat` every half second."""
        due = time.monotonic()
        while not _is_over(pid):
            if self.stopped is not None:
                self._end_session(pid)
                break
            now = time.monotonic()
            if now >= due:
                beat()
                due = now + _BEAT
            self._wait(due - now)
        # It is not reaped yet, so its number still means its own group: nothing is left running.
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        return exit_of(os.waitpid(pid, 0)[1])

    def _wait(self, seconds: float) -> None:
        if select.select([self._woken], [], [], max(0.0, seconds))[0]:
            os.read(self._woken, 4096)

    def _stop(self, number: int, frame: Any) -> None:
        self.stopped = self.stopped or number

    def _end_session(self, pid: int) -> None:
        from nrunner.runners.killing import members, signal_all

        begun = time.monotonic()
        signal_all(members(pid, "", {pid: ""}), signal.SIGTERM)
        while time.monotonic() < begun + _GRACE + _KILL_FOR:
            alive = members(pid, "", {pid: ""})
            if not alive:
                return
            if time.monotonic() >= begun + _GRACE:
                signal_all(alive, signal.SIGKILL)
            # Only the main process's end wakes us; the others have to be looked for.
            self._wait(0.05)


def _is_over(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wake(number: int, frame: Any) -> None:
    """Do nothing: the signal's number in the wakeup pipe is what counts."""
