"""The event loop's lag: how late a timer was at worst, or would have been had it been due.

Found from when the loop begins and ends to wait, so no timer wakes it for that, and no pause is too
short or too late to be noticed. Not responsible for who made the loop late, nor for showing it.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Lag"]

_T = TypeVar("_T")


class Lag:
    """Measures the event loop that it makes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._longest = 0.0
        self.excused = 0.0
        """Seconds that do not count."""
        self._woke: float | None = None
        """When the turn began that goes on now; None while nothing is measured."""

    def new_loop(self) -> asyncio.SelectorEventLoop:
        """Return an event loop that is measured."""
        return _Loop(self)

    def excuse(self, seconds: float) -> None:
        """Have the time during which this process was stopped count for nothing on the loop."""
        self.excused += seconds
        if self._woke is not None:
            self._woke += seconds

    def begin(self) -> None:
        """Forget what was, and measure from now on; called by what runs on the loop."""
        self._longest = 0.0
        self._woke = self._clock()

    def longest(self) -> float:
        """Return the longest lag in seconds, that of the turn that goes on now included."""
        if self._woke is not None:
            self._note(self._clock() - self._woke)
        return self._longest

    def wait(self, select: Callable[[float | None], list[_T]], timeout: float | None) -> list[_T]:
        """Have the loop wait by `select` between two turns."""
        if self._woke is None:
            return select(timeout)
        ended = self._clock()
        self._note(ended - self._woke)
        ready = select(timeout)
        self._woke = self._clock()
        if timeout and not ready:  # a timer is due: were we woken in time?
            self._note(self._woke - ended - timeout)
        return ready

    def _note(self, lag: float) -> None:
        if lag > self._longest:
            self._longest = lag


class _Loop(asyncio.SelectorEventLoop):
    """Its timers are due later by what is excused."""

    def __init__(self, lag: Lag) -> None:
        super().__init__(_Selector(lag))
        self._lag = lag

    def time(self) -> float:
        return super().time() - self._lag.excused


class _Selector(selectors.DefaultSelector):
    """Tells when it is waited."""

    def __init__(self, lag: Lag) -> None:
        super().__init__()
        self._lag = lag

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._lag.wait(super().select, timeout)
