"""What Ctrl-C, SIGTERM and SIGHUP do to a job: once softly, twice hard, three times at once.

Not responsible for ending tasks; it orders that by events.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from nrunner.errors import ExitCode
from nrunner.event import StopAll
from nrunner.result import Cause, Result, Verdict

__all__ = ["Interrupts", "stop_by_timeout", "stop_by_user", "told_of_stop"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_by_user(time: float, *, kill: bool = False, by: str = "by the user") -> StopAll:
    """Return the event that ends a job on somebody's wish."""
    detail = f"interrupted {by}"
    return StopAll(
        time,
        Verdict(Result.CANCEL, Cause.CANCELLED, detail),
        Verdict(Result.INTERRUPT, Cause.CANCELLED, detail),
        kill,
    )


def stop_by_timeout(time: float, limit: float) -> StopAll:
    """Return the event that ends a job that takes longer than it may."""
    detail = f"past the job's {limit:g} s limit"
    return StopAll(
        time,
        Verdict(Result.CANCEL, Cause.CANCELLED, detail),
        Verdict(Result.INTERRUPT, Cause.TIMEOUT, detail),
    )


def told_of_stop(*, kill: bool) -> str:
    """Return what people are told of the end that a job is made to come to."""
    if kill:
        return "tests that run are killed"
    return "no more tests are started, those that run are told to end"


def _is_ignored(number: int) -> bool:
    return number != signal.SIGTERM and signal.getsignal(number) is signal.SIG_IGN


class Interrupts:
    """Counts signals while a job runs."""

    def __init__(
        self,
        stop: Callable[[bool, str], None],
        say: Callable[[str], None],
        leave: Callable[[], None],
    ) -> None:
        """`stop(kill, by)` ends the job, `say` tells people, `leave` saves what must be saved."""
        self.count = 0
        self._stop = stop
        self._say = say
        self._leave = leave

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catch the signals for as long as the block lasts, but for those that are to be ignored.

        So wants ``nohup`` of SIGHUP, and a shell of SIGINT where it starts something with ``&``.
        """
        loop = asyncio.get_running_loop()
        caught = [each for each in _SIGNALS if not _is_ignored(each)]
        for number in caught:
            loop.add_signal_handler(number, self.hear, number)
        try:
            yield
        finally:
            for number in caught:
                loop.remove_signal_handler(number)

    def hear(self, number: int) -> None:
        """Take one signal."""
        self.count += 1
        name = signal.Signals(number).name
        by = "by the user" if number == signal.SIGINT else f"by {name}"
        if self.count == 1:
            self._say(f"{name}: {told_of_stop(kill=False)}")
            self._stop(False, by)
        elif self.count == 2:
            self._say(f"{name}: {told_of_stop(kill=True)}")
            self._stop(True, by)
        else:
            with contextlib.suppress(Exception):
                self._leave()
            os._exit(ExitCode.INTERRUPTED | ExitCode.JOB_FAILED)
