"""Series as the agent sees them: attempts that share one process, one after another.

A series has a slot for as long as it lasts, and a process that stays between two attempts: for a
while if another was announced, and not if its output cannot be kept. Not responsible for starting
attempts (``nrunner.runners.supervisor``), nor for what the process does
(``nrunner.runners.resident``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

from nrunner.runners import killing
from nrunner.runners.attempt import Attempt
from nrunner.runners.loop import Loop, Timer
from nrunner.runners.slot import Slot
from nrunner.runners.warm import Zygote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["LEAVE_WITHIN", "Roster", "Series"]

_PATIENCE = 0.5
"""Seconds that a process waits for an attempt that was announced."""
LEAVE_WITHIN = 5.0
"""Seconds that it has to tear down what it set up, when nobody comes any more."""


class Series:
    """Who runs now, and where."""

    __slots__ = ("attempt", "is_leaving", "keys", "last", "link", "name", "pid", "slot", "timer")

    def __init__(self, name: str, slot: Slot, attempt: Attempt) -> None:
        self.name = name
        self.slot = slot
        self.attempt: Optional[Attempt] = attempt
        """Who runs, None between two attempts."""
        self.last = attempt
        self.keys = {attempt.key}
        """Who has run in it: what an earlier one left is found when the process ends."""
        self.link: Optional[Zygote] = None
        """The way to tell the process what to run."""
        self.pid = 0
        """The process, 0 while there is none."""
        self.timer: Optional[Timer] = None
        self.is_leaving = False
        """Whether the process was told that nobody comes any more."""

    @property
    def is_idle(self) -> bool:
        """Whether the process waits for the next attempt."""
        return self.attempt is None

    def begin(self, attempt: Attempt) -> None:
        """Note that an attempt has its turn."""
        self.attempt = self.last = attempt
        self.keys.add(attempt.key)
        if self.timer is not None:
            self.timer.cancel()


class Roster:
    """All series that have a slot."""

    def __init__(self, loop: Loop, dismiss: Callable[[Zygote], None]) -> None:
        """`dismiss` tells a process that nobody comes any more."""
        self._loop = loop
        self._tell = dismiss
        self._series: dict[str, Series] = {}

    def __iter__(self) -> Iterator[Series]:
        """Go through all of them, as they are now."""
        return iter(list(self._series.values()))

    def of(self, attempt: Attempt) -> Optional[Series]:
        """Return the series of an attempt, None if it has none or that has no slot."""
        return self._series.get(attempt.order.series)

    def idle(self) -> list[Series]:
        """Return those whose process waits for the next attempt."""
        return [each for each in self._series.values() if each.is_idle] if self._series else []

    def open(self, attempt: Attempt, slot: Slot) -> None:
        """Begin a series with its first attempt."""
        self._series[attempt.order.series] = Series(attempt.order.series, slot, attempt)

    def close(self, series: Series) -> None:
        """Forget a series; whoever comes next begins another one."""
        del self._series[series.name]

    def pause(self, series: Series) -> None:
        """Let the process of a series wait for the next attempt."""
        series.attempt = None
        if series.last.trouble:
            series.is_leaving = True
            killing.signal_group(series.pid, signal.SIGKILL)
        else:
            series.timer = self._loop.after(_PATIENCE, lambda: self._dismiss(series))

    def _dismiss(self, series: Series) -> None:
        if series.is_idle and series.pid and series.link is not None:
            pid, series.is_leaving = series.pid, True
            self._tell(series.link)
            self._loop.after(LEAVE_WITHIN, lambda: self._evict(series, pid))

    def _evict(self, series: Series, pid: int) -> None:
        if series.pid == pid:
            killing.signal_group(pid, signal.SIGKILL)
