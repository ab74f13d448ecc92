"""A clock that passes only when everybody waits, and then at once.

For tests of asynchronous code without real time: an event loop whose timers jump. What waits an
hour is over immediately, in the order it would have been; what waits for ever is an error that
says so. No time passes while a thread of ``nrunner.offload`` is at work. Not for code that waits
for other processes: they live in real time.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from nrunner.offload import THREAD_NAME

__all__ = ["FakeClock", "StuckError"]

_T = TypeVar("_T")

_PATIENCE = 0.5
"""Real seconds in which a thread may still say something before all is called stuck."""
_AT_WORK = 3.0
"""Real seconds that a thread of ours may work before it counts as hung, and time passes."""
_GLANCE = 0.001
"""Real seconds after which a thread is looked at again: it may have said all, and be ending."""


class StuckError(AssertionError):
    """Everybody waits and no timer is set: nothing would ever happen again."""


class FakeClock:
    """Runs coroutines on an event loop with a time of its own."""

    def __init__(self, now: float = 1000.0) -> None:
        """`now` is the second, on the loop's clock, at which it begins."""
        self.now = now

    def run(self, main: Coroutine[Any, Any, _T]) -> _T:
        """Run to the end, as ``asyncio.run`` does; raise StuckError where nothing can happen."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(main)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._clock.now


class _Selector(selectors.DefaultSelector):
    """Instead of waiting for a timer, sets the clock to it."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self._hung: set[threading.Thread] = set()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0) if timeout == 0 else self._await_threads()
        if not ready and timeout is None:
            ready = super().select(_PATIENCE)
        if not ready and timeout is None:
            raise StuckError("everybody waits, and no timer is set")
        if not ready and timeout is not None and timeout > 0:
            self._clock.now += timeout
        return ready

    def _await_threads(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready as soon as something is, or no thread works that could say more."""
        until = time.monotonic() + _AT_WORK
        while True:
            # Asked for before the look at what is ready: what a thread says last is seen there.
            busy = _at_work() - self._hung
            ready = super().select(_GLANCE if busy else 0)
            if ready or not busy:
                return ready
            if time.monotonic() > until:
                self._hung |= busy


def _at_work() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == THREAD_NAME}
