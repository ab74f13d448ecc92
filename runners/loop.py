"""The agent's event loop: files that are ready, timers, children that ended.

Small on purpose: asyncio costs a fifth of a second of start on a slow device. Not responsible
for what a callback does.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import heapq
import os
import select
import signal
import time
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Loop", "Timer"]

_LONGEST = 86400.0
"""Seconds that are waited at once: the kernel counts milliseconds, up to 25 days."""
_AT_ONCE = 16
"""Files that are served before timers are looked at; the kernel goes on with the others next."""


class Timer:
    """A callback that is due at a moment of the monotonic clock, unless cancelled or held."""

    __slots__ = ("callback", "is_real", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Optional[Callable[[], None]] = callback
        self.is_real = False
        """Whether it is never held."""

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when

    def cancel(self) -> None:
        """Forget the callback."""
        self.callback = None


class Loop:
    """Waits in one place for everything; callbacks must not block."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._readers: dict[int, Callable[[], object]] = {}
        self._writers: dict[int, Callable[[], None]] = {}
        self._timers: list[Timer] = []
        self._held: Optional[list[tuple[Timer, float]]] = None
        """Those for which the time stands still, and since when."""
        self._on_child: Optional[Callable[[], None]] = None
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watch(self._woken, self._drain)
        self._signals: dict[int, Callable[[], None]] = {}
        self._pending: list[int] = []

    def at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back at second `when` of the monotonic clock."""
        timer = Timer(when, callback)
        if self._held is None:
            heapq.heappush(self._timers, timer)
        else:
            self._held.append((timer, time.monotonic()))
        return timer

    def after(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back in `delay` seconds."""
        return self.at(time.monotonic() + delay, callback)

    def real_after(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back in `delay` seconds, whether timers are held or not."""
        timer = Timer(time.monotonic() + delay, callback)
        timer.is_real = True
        heapq.heappush(self._timers, timer)
        return timer

    def hold(self) -> None:
        """Have the time stand still for all timers but real ones."""
        if self._held is not None:
            return
        now = time.monotonic()
        self._held = [(each, now) for each in self._timers if not each.is_real]
        self._timers[:] = [each for each in self._timers if each.is_real]
        heapq.heapify(self._timers)

    def release(self) -> None:
        """Have the time go on for timers that are held."""
        held, self._held = self._held or [], None
        now = time.monotonic()
        for timer, since in held:
            timer.when += now - since
            heapq.heappush(self._timers, timer)

    def watch(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back whenever `fd` can be read."""
        self._readers[fd] = callback
        self._poll.register(fd, select.EPOLLIN)

    def watch_writing(self, fd: int, callback: Optional[Callable[[], None]]) -> None:
        """Call back, too, when `fd`, which is watched, can be written; None to stop that."""
        if callback is None:
            if self._writers.pop(fd, None) is not None:
                self._poll.modify(fd, select.EPOLLIN)
        elif fd not in self._writers:
            self._writers[fd] = callback
            self._poll.modify(fd, select.EPOLLIN | select.EPOLLOUT)

    def unwatch(self, fd: int) -> None:
        """Forget a file; to be called before it is closed."""
        if self._readers.pop(fd, None) is not None:
            self._writers.pop(fd, None)
            self._poll.unregister(fd)

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Call back, from the loop, after a signal came; several may count as one."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._signals[number] = callback
        signal.signal(number, self._note)

    def run_once(self) -> None:
        """Wait for whatever comes first and call back for all that is due."""
        timeout = -1.0
        if self._timers:
            timeout = min(max(0.0, self._timers[0].when - time.monotonic()), _LONGEST)
        for fd, events in self._poll.poll(timeout, _AT_ONCE):
            if events & ~select.EPOLLOUT and fd in self._readers:
                self._readers[fd]()
            if events & select.EPOLLOUT and fd in self._writers:
                self._writers[fd]()
        if self._pending:
            # First take the list, then look into it: a signal may come between any two steps.
            pending, self._pending = self._pending, []
            # SIGTERM before SIGCHLD: who is killed together with us is known to be.
            for number in sorted(set(pending)):
                self._signals[number]()
        self._fire()

    def _fire(self) -> None:
        timers = self._timers
        if not timers:
            return
        now = time.monotonic()
        while timers and (timers[0].when <= now or timers[0].callback is None):
            callback = heapq.heappop(timers).callback
            if callback is not None:
                callback()

    def _note(self, number: int, _frame: object) -> None:
        self._pending.append(number)

    def _drain(self) -> None:
        try:
            os.read(self._woken, 4096)
        except BlockingIOError:
            pass
