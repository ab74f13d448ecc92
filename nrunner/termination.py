"""SIGTERM and SIGHUP count as Ctrl-C: whatever a command has begun ends with it.

A power hook, a download or a link to a device would be left behind otherwise. Not responsible for
jobs, which take these signals themselves while they run (``nrunner.interrupt``).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["terminations_interrupt"]

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def terminations_interrupt() -> Iterator[None]:
    """Have these signals do what Ctrl-C does, where they would end this process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [each for each in _SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, _interrupt)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)  # asyncio has a way of its own to take it
    else:
        raise KeyboardInterrupt  # Ctrl-C is ignored, in the background of a shell say
