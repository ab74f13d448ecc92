"""Processes that are stopped, to go on together later: when people press Ctrl-Z.

Parents are stopped before their children, and go on after them, so that none sees another one
stopped. What was stopped before stays so. Not responsible for which processes these are, nor for
timers (``nrunner.runners.loop``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

from nrunner.runners import killing
from nrunner.runners.procfs import Process

__all__ = ["Suspension"]

_MOST_SWEEPS = 50
"""After so many, what still forks is left to go on."""


class Suspension:
    """Stops processes when it is made."""

    def __init__(self, find: Callable[[], Sequence[Process]]) -> None:
        """`find` returns those that live, parents before children; it is asked repeatedly."""
        self._find = find
        self._stopped: dict[int, Process] = {}
        self.sweep()

    def sweep(self) -> None:
        """Stop what lives, and was not found before."""
        for _ in range(_MOST_SWEEPS):
            new = [each for each in self._find() if each.state not in "Tt" and not self._has(each)]
            if not new:
                break
            killing.signal_all(new, signal.SIGSTOP)
            self._stopped.update((each.pid, each) for each in new)

    def __len__(self) -> int:
        return len(self._stopped)

    def end(self) -> None:
        """Let them go on."""
        killing.signal_all(reversed(self._stopped.values()), signal.SIGCONT)
        self._stopped.clear()

    def _has(self, process: Process) -> bool:
        known = self._stopped.get(process.pid)
        return known is not None and known.start == process.start
