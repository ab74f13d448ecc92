"""Who uses the processors while nrunner runs: controller, agent, tests; user space or kernel.

Read from ``/proc/PID/stat``, whose clock ticks every 10 ms: good for runs of
seconds, not for one test.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Share", "Usage", "watch_usage"]

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Share:
    """CPU seconds."""

    user: float = 0.0
    kernel: float = 0.0

    def __add__(self, other: Share) -> Share:
        return Share(self.user + other.user, self.kernel + other.kernel)

    def __sub__(self, other: Share) -> Share:
        return Share(max(0, self.user - other.user), max(0, self.kernel - other.kernel))


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds of each part of one run, and how long it took."""

    seconds: float
    controller: Share
    agent: Share
    zygotes: Share
    tests: Share
    """Of all processes that the agent or a zygote has waited for."""


@dataclass(slots=True)
class _Looks:
    """What was last seen of the controller, of the agent, and of each zygote below it."""

    controller: Share = Share()
    agent: Share = Share()
    ended: Share = Share()
    zygotes: dict[int, tuple[Share, Share]] = field(default_factory=dict)

    def look(self, root: int) -> None:
        """Look at all of them."""
        self.controller = _shares(root)[0]
        for guardian in _children(root):
            for agent in _children(guardian):
                self._look_below(agent)

    def _look_below(self, agent: int) -> None:
        own, ended = _shares(agent)
        if own == Share():
            return
        here = [child for child in _children(agent) if _is_zygote(child)]
        self.zygotes.update((zygote, _shares(zygote)) for zygote in here)
        for gone in self.zygotes.keys() - set(here):
            # The agent has waited for it and all that it had waited for: do not count that twice.
            ended = ended - self.zygotes[gone][0] - self.zygotes[gone][1]
        self.agent, self.ended = own, ended

    def usage(self, seconds: float) -> Usage:
        """Return what it came to."""
        zygotes = sum((own for own, _ in self.zygotes.values()), Share())
        tests = sum((ended for _, ended in self.zygotes.values()), self.ended)
        return Usage(seconds, self.controller, self.agent, zygotes, tests)


def watch_usage(pid: int, begin: float) -> Usage:
    """Watch a controller until it ends; the caller still has to wait for it."""
    looks = _Looks()
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        looks.look(pid)
        time.sleep(_LOOK_EVERY)
    return looks.usage(time.perf_counter() - begin)


def _shares(pid: int) -> tuple[Share, Share]:
    """Return what a process used, and what its children used that it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return Share(), Share()
    user, kernel, user_below, kernel_below = (int(each) * _TICK for each in fields[11:15])
    return Share(user, kernel), Share(user_below, kernel_below)


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _is_zygote(pid: int) -> bool:
    try:
        return b"\0zygote\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
