"""Who uses the processors while nrunner runs: controller, agent, tests; user space or kernel.

Read from ``/proc/PID/stat``, whose clock ticks every 10 ms: good for runs of
seconds, not for one test.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Share", "Usage", "watch_usage"]

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Share:
    """CPU seconds."""

    user: float = 0.0
    kernel: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds of each part of one run, and how long it took."""

    seconds: float
    controller: Share
    agent: Share
    tests: Share
    """Of all processes that the agent has waited for."""


def watch_usage(pid: int, begin: float) -> Usage:
    """Watch a controller until it ends; the caller still has to wait for it."""
    controller = agent = tests = Share()
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        controller = _shares(pid)[0]
        own, ended = _busiest(_agents(pid))
        agent, tests = _larger(agent, own), _larger(tests, ended)
        time.sleep(_LOOK_EVERY)
    return Usage(time.perf_counter() - begin, controller, agent, tests)


def _agents(pid: int) -> list[int]:
    """Return the controller's children and grandchildren: the guardian, and the agent below it."""
    found = _children(pid)
    return found + [below for child in found for below in _children(child)]


def _busiest(pids: list[int]) -> tuple[Share, Share]:
    """Return the shares of the process that waited for most: the agent, not its guardian."""
    shares = [_shares(pid) for pid in pids]
    return max(shares, key=lambda pair: pair[1].user + pair[1].kernel, default=(Share(), Share()))


def _larger(old: Share, new: Share) -> Share:
    return new if new.user + new.kernel >= old.user + old.kernel else old


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
