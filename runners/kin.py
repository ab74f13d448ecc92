"""Kin: which processes are an attempt's own, while others run beside it.

Not responsible for when they are looked for, nor for how whose a process is is decided
(``nrunner.runners.killing``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from itertools import islice

from nrunner.runners import killing, procfs
from nrunner.runners.attempt import Attempt
from nrunner.runners.brand import Brands
from nrunner.runners.procfs import Process
from nrunner.runners.series import Roster

__all__ = ["Kin"]

_MOST_AT_ONCE = 100
_CATCH_FOR = 0.1
"""Seconds in which generations of processes that flee are killed, before others have their turn."""


class Kin:
    """Finds the processes of attempts among all others."""

    def __init__(
        self,
        attempts: Mapping[tuple[int, int], Attempt],
        mains: Mapping[int, Attempt],
        zygotes: Callable[[], Collection[int]],
        roster: Roster,
        *,
        inherits: bool,
    ) -> None:
        """`mains` are the main processes of attempts, `zygotes` returns those of nobody.

        `inherits` says whether orphans become children of this process.
        """
        self.brands = Brands()
        self._attempts = attempts
        self._mains = mains
        self._zygotes = zygotes
        self._roster = roster
        self._inherits = inherits
        self._last_end = 0.0

    def note_end(self) -> None:
        """Note that an attempt is over."""
        self._last_end = time.monotonic()

    def members(self, attempt: Attempt) -> list[Process]:
        """Return what lives of an attempt."""
        if not attempt.pid:
            return []
        mains = dict.fromkeys(self._zygotes(), "")
        mains.update((pid, each.mark) for pid, each in self._mains.items())
        others = any(each is not attempt for each in self._attempts.values())
        alone = not others and self._last_end < attempt.began
        slot = attempt.slot
        folder, pipes = (slot.folder, slot.pipes) if slot is not None else (os.devnull, ())
        keys = self._keys(attempt)
        claim = killing.Claim(folder, attempt.began, alone, pipes, keys, self.brands)
        return killing.members(attempt.pid, attempt.mark, mains, claim)

    def left(self, attempt: Attempt) -> list[Process]:
        """Return what lives of an attempt; where that is nobody, what has just ended.

        Who forks and ends at once has ended whenever it is looked at.
        """
        members = self.members(attempt)
        if members:
            return members
        return self._bearers(attempt)

    def has_left(self, attempt: Attempt) -> bool:
        """Whether there is anything of an attempt whose main process has ended."""
        if self._inherits and not self.orphans():
            return False  # without a look at all processes
        return bool(self.left(attempt))

    def orphans(self) -> list[int]:
        """Return children of this process that are neither zygotes nor main processes."""
        return killing.orphans({*self._mains, *self._zygotes()})

    def strays(self, known: Collection[int]) -> list[Process]:
        """Return orphans that live and are not among the `known`."""
        found = (procfs.read_process(pid) for pid in self.orphans() if pid not in known)
        return [each for each in found if each is not None and each.is_alive]

    def kill(self, attempt: Attempt, processes: Collection[Process]) -> None:
        """Kill processes of an attempt."""
        killing.kill_all(processes, {*self._zygotes(), *self._mains} - {attempt.pid})

    def catch(self, attempt: Attempt) -> None:
        """Kill those of an attempt that have become our children, as fast as they come.

        Who forks and ends at once is gone by the time that a list of processes is complete. What
        has ended and was not waited for still keeps its group from being anybody else's.
        """
        until = time.monotonic() + _CATCH_FOR
        while time.monotonic() < until:
            bearers = self._bearers(attempt)
            self.kill(attempt, bearers)
            for pid in self.orphans():
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    continue
            if not bearers:
                return

    def _bearers(self, attempt: Attempt) -> list[Process]:
        """Return some children of ours that bear the attempt's brand: found sooner than members."""
        keys, bearer = self._keys(attempt), self.brands.bearer
        pids = (pid for pid in self.orphans() if bearer(pid) in keys)
        found = (procfs.read_process(pid) for pid in islice(pids, _MOST_AT_ONCE))
        return [each for each in found if each is not None]

    def _keys(self, attempt: Attempt) -> Collection[tuple[int, int]]:
        series = self._roster.of(attempt)
        return {attempt.key} if series is None else series.keys
