"""Alarms: what happens to an attempt that takes too long, or is silent for too long.

Not responsible for ending it; that is ``nrunner.runners.supervisor``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from nrunner.runners.attempt import Attempt
from nrunner.runners.examiner import Examiner, Findings
from nrunner.runners.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Stop = Callable[[Attempt, str, str], None]
    """Ends an attempt: the limit that it has passed, and that in words."""
    Emit = Callable[[Attempt, str, Mapping[str, Any]], None]

__all__ = ["Alarms"]


_LONGEST_STACK = 4096
"""In an event; all of it is in the task's folder."""


class Alarms:
    """Sets the timers of attempts; an attempt cancels them when it is over."""

    def __init__(self, loop: Loop, examiner: Examiner, stop: Stop, emit: Emit) -> None:
        self._loop = loop
        self._examiner = examiner
        self._stop = stop
        self._emit = emit

    def set(self, attempt: Attempt) -> None:
        """Set the timers for the limits of an attempt that has just begun."""
        limits = attempt.order.limits
        if limits.timeout is not None:
            detail = f"past its {limits.timeout:g} s limit"
            due = attempt.began + limits.timeout
            timer = self._loop.at(due, lambda: self._stop(attempt, "timeout", detail))
            attempt.timers.append(timer)
        if limits.slow is not None:
            due = attempt.began + limits.slow
            attempt.timers.append(self._loop.at(due, lambda: self._say_slow(attempt)))
        if limits.silence is not None:
            self._await_output(attempt, limits.silence, 0)

    def _say_slow(self, attempt: Attempt) -> None:
        elapsed = time.monotonic() - attempt.began - attempt.paused

        def tell(findings: Findings) -> None:
            fields = {"elapsed": elapsed, "wait_channel": findings.wait_channel}
            more = {"doing": findings.doing, "stack": findings.stack[:_LONGEST_STACK]}
            self._emit(attempt, "slow", {**fields, **{key: more[key] for key in more if more[key]}})

        self._examiner.examine(attempt, f"slow: it runs for {elapsed:.1f} s", tell)

    def _await_output(self, attempt: Attempt, silence: float, seen: int) -> None:
        def check() -> None:
            now = attempt.progress()
            if now == seen:
                self._stop(attempt, "silence", f"no output for {silence:g} s")
            else:
                self._await_output(attempt, silence, now)

        attempt.timers.append(self._loop.after(silence, check))
