"""How people ask a running job where it is: SIGUSR1, or s and Enter on its terminal.

The terminal stays as it is, so that it is usable even if the job is killed; that is why Enter is
needed. Not responsible for the answer (``nrunner.situation``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

__all__ = ["Questions"]

_INPUT = 0


class Questions:
    """Hears questions while a job runs."""

    def __init__(self, answer: Callable[[], None]) -> None:
        self._answer = answer

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Hear them for as long as the block lasts."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._answer)
        listens = _has_terminal()
        if listens:
            loop.add_reader(_INPUT, self._read)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)
            if listens:
                loop.remove_reader(_INPUT)

    def _read(self) -> None:
        """Take a line that was typed; one that is not ours is nobody's."""
        try:
            line = os.read(_INPUT, 1024)
        except OSError:
            line = b""
        if not line:  # the terminal is gone, or Ctrl-D: nothing will come any more
            asyncio.get_running_loop().remove_reader(_INPUT)
        elif line.strip().lower() == b"s":
            self._answer()


def _has_terminal() -> bool:
    """Say whether our standard input is a terminal in whose foreground we are."""
    try:
        return os.isatty(_INPUT) and os.tcgetpgrp(_INPUT) == os.getpgrp()
    except OSError:
        return False
