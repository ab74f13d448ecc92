"""What Ctrl-Z does to a job: its tests stop, then this process does; both go on together.

Not responsible for stopping tests (their agents do that), nor for ending them
(``nrunner.interrupt``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from nrunner.option import duration_text

__all__ = ["Pause"]


class Pause:
    """Hears Ctrl-Z while a job runs."""

    def __init__(
        self,
        tests: tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]],
        console: tuple[Callable[[], None], Callable[[], None]],
        say: Callable[[str], None],
        excuse: Callable[[float], None],
        *,
        stop: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tests` and `console` are each what has them pause, and go on.

        `excuse` is told for how long nothing could happen here; `stop` stops this process, and
        returns when it goes on.
        """
        self._stop_tests, self._let_tests_go_on = tests
        self._leave_console, self._return_to_console = console
        self._say = say
        self._excuse = excuse
        self._stop = stop or self._stop_here
        self._clock = clock
        self._is_heard = False
        self._start: Callable[[Coroutine[Any, Any, None]], object] | None = None

    @contextlib.contextmanager
    def caught(self, start: Callable[[Coroutine[Any, Any, None]], object]) -> Iterator[None]:
        """Catch the signal for as long as the block lasts; `start` starts a task."""
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN:
            yield  # whoever started us wants no such thing
            return
        self._start = start
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self.hear)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTSTP)

    def hear(self) -> None:
        """Take the signal; nothing happens if one before is being dealt with."""
        if not self._is_heard and self._start is not None:
            self._is_heard = True
            self._start(self._pause())

    async def _pause(self) -> None:
        await self._stop_tests()
        self._say("SIGTSTP: tests and limits pause; SIGCONT (fg) lets them go on")
        self._leave_console()
        began = self._clock()
        self._stop()
        seconds = self._clock() - began
        self._excuse(seconds)
        self._is_heard = False
        self._return_to_console()
        await self._let_tests_go_on()
        self._say(f"SIGCONT: tests and limits go on after {duration_text(round(seconds, 1))}")

    def _stop_here(self) -> None:
        """Stop as any program does; the kernel may have reason not to let us."""
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)  # what is left is what it usually does
        os.kill(os.getpid(), signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self.hear)
