"""The end of an attempt of which nothing lives any more: what it left is kept, its runner judges.

Where that takes long it is done aside (``nrunner.runners.deliberation``), and may be given up. Not
responsible for what a result means (the runner's class), nor for telling it
(``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from nrunner.errors import RunnerError
from nrunner.runners.attempt import Attempt
from nrunner.runners.base import Outcome
from nrunner.runners.loop import Loop
from nrunner.runners.memory import MemoryWatch

__all__ = ["Judge"]

_MUCH = 1 << 20
"""Bytes of output from which on a runner that reads them does so aside."""
_KEPT_WAITING = 2.0
"""Seconds in which a verdict may still be found of an attempt that was to be killed."""


class Judge:
    """Finds out what became of attempts."""

    def __init__(
        self,
        loop: Loop,
        finish: Callable[[Attempt, Outcome], None],
        notice: Callable[[Attempt, str], None],
    ) -> None:
        """`finish` is called with each attempt and its outcome, `notice` with what is odd."""
        self._loop = loop
        self._finish = finish
        self._notice = notice
        self._memory = MemoryWatch()

    def conclude(self, attempt: Attempt) -> None:
        """Keep what an attempt left, and have its runner judge."""
        if attempt.reception is not None:
            attempt.reception.drain()
            if attempt.reception.refused:
                self._notice(attempt, attempt.reception.summary())
        try:
            found = attempt.collect()
        except OSError as error:
            attempt.trouble = _unkept(error)
            self._finish(attempt, Outcome(None))
            return
        if found > len(attempt.outputs):
            named = len(attempt.outputs)
            self._notice(attempt, f"{attempt.order.id} left {found} files; {named} are named")
        judge = functools.partial(_judge, attempt)
        if _takes_long(attempt):
            from nrunner.runners.deliberation import deliberate

            attempt.retire()
            settle = functools.partial(self._settle, attempt)
            attempt.deliberation = deliberate(self._loop, judge, settle)
        else:
            self._settle(attempt, judge)

    def hurry(self, attempt: Attempt, stop: str, detail: str) -> None:
        """Have a verdict that is not found soon be none: the attempt was `stop`ped."""

        def give_up() -> None:
            deliberation, attempt.deliberation = attempt.deliberation, None
            if deliberation is not None:
                deliberation.abandon()
                attempt.stop, attempt.stop_detail = stop, detail
                self._finish(attempt, Outcome(None))

        self._loop.after(_KEPT_WAITING, give_up)

    def _settle(self, attempt: Attempt, judge: Callable[[], Outcome]) -> None:
        """Finish with what its runner judges, and what is known besides."""
        attempt.deliberation = None
        outcome = Outcome(None)
        try:
            outcome = judge()
            if attempt.stop is None and not attempt.broken:
                outcome = _explained(self._memory.blamed(outcome))
            if attempt.reception is not None:
                outcome = attempt.reception.blamed(outcome)
        except OSError as error:
            attempt.trouble = _unkept(error)
        except RunnerError as error:
            outcome = Outcome(None, str(error), contract=True)
        self._finish(attempt, outcome)


def _judge(attempt: Attempt) -> Outcome:
    """Return what became of it; raise RunnerError or OSError."""
    if attempt.stop is not None:
        return Outcome(None)
    if attempt.broken:
        return Outcome(None, attempt.broken, contract=True)
    if attempt.end is None or attempt.runner is None:
        return Outcome(None)
    report = attempt.report()
    return attempt.runner.judge(attempt.order.runnable, attempt.place, attempt.end, report)


def _takes_long(attempt: Attempt) -> bool:
    """Whether to judge it would keep all others waiting: there is much to read."""
    if attempt.runner is None or not attempt.runner.reads_output or attempt.stop is not None:
        return False
    try:
        return os.stat(attempt.place.stdout).st_size > _MUCH
    except OSError:
        return False


def _explained(outcome: Outcome) -> Outcome:
    if not outcome.fail_reason:
        return outcome
    from nrunner.runners.room import blamed, full

    return blamed(outcome, full())


def _unkept(error: OSError) -> str:
    return f"its results cannot be kept: {error}"
