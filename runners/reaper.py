"""Processes that have ended, and those that are nobody's any more.

As a subreaper the agent becomes the parent of all that an attempt leaves behind: it waits for
whatever has ended, and kills what attempts have left that are over. Not responsible for what the
end of a process means (``nrunner.runners.supervisor``), nor for attempts that are not over.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence

from nrunner.runners import child, killing, procfs
from nrunner.runners.base import Exit
from nrunner.runners.kin import Kin
from nrunner.runners.loop import Loop
from nrunner.runners.nursery import Nursery
from nrunner.runners.procfs import Process
from nrunner.runners.series import LEAVE_WITHIN, Series

__all__ = ["Reaper"]

_MOST_AT_ONCE = 1000
"""How many ended processes are heard of before others have their turn."""


class Reaper:
    """Waits for the children of the agent."""

    def __init__(
        self,
        loop: Loop,
        nursery: Nursery,
        kin: Kin,
        over: Callable[[int, Exit], bool],
        look_again: Callable[[], None],
    ) -> None:
        """`over` is told of main processes that have ended, and returns whether one was that.

        `look_again` is called once others have ended: they may have been what was waited for.
        """
        self._loop = loop
        self._nursery = nursery
        self._kin = kin
        self._over = over
        self._look_again = look_again

    def reap(self) -> None:
        """Hear of all that has ended."""
        strays = False
        for _ in range(_MOST_AT_ONCE):
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            end = child.exit_of(status)
            if not self._nursery.reaped(pid, status) and not self._over(pid, end):
                # What zygotes have said until now may tell whose process it was.
                self._nursery.catch_up()
                strays |= not self._nursery.reaped(pid, status) and not self._over(pid, end)
        else:
            self._loop.after(0.0, self.reap)  # there may be more, but others wait, too
            return
        if strays:
            self._look_again()

    def strays(self, known: Sequence[Series]) -> list[Process]:
        """Return what is nobody's, while only these series have processes."""
        return self._kin.strays({each.pid for each in known})

    def kill(self, left: Collection[Process], spared: Collection[int]) -> None:
        """Kill what was left by attempts that are over already."""
        killing.kill_all(left, {*self._nursery.pids, *spared})

    def let_leave(self, waiting: Sequence[Series]) -> None:
        """Give processes that wait for nobody any more the time to tear down what they set up."""
        until = time.monotonic() + LEAVE_WITHIN
        for series in waiting:
            if series.link is not None:
                self._nursery.dismiss(series.link)
        while time.monotonic() < until and any(procfs.read_process(each.pid) for each in waiting):
            _reap_all()
            time.sleep(0.005)

    def kill_all(self) -> None:
        """Kill whatever is a child of ours, for a second at most."""
        for _ in range(200):
            strays = killing.orphans(())
            if not strays:
                break
            for pid in strays:
                killing.kill(pid)
            _reap_all()
            time.sleep(0.005)


def _reap_all() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
