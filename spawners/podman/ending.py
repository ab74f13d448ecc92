"""How a container ended, in words: who or what ended it, and what would help.

Pure. Not responsible for finding out (``life``, ``client``).
"""

from __future__ import annotations

import signal

from nrunner.record import dataclass
from nrunner.spawners.podman.life import Counters
from nrunner.spawners.podman.settings import Limits

__all__ = ["Ending", "how_it_ended"]

_KILLED = (None, 1, 128 + signal.SIGKILL)
"""How it ends if the kernel killed it, or the agent beneath it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known of the end of a container."""

    status: int | None = None
    """The exit status of its first process; None if nobody knows."""
    counters: Counters = Counters()
    limits: Limits = Limits()
    monitor_was_alive: bool = True
    last_words: str = ""
    """What its agent wrote last where it writes what nobody else may see."""
    trouble: str = ""
    """Why podman could not be asked for the status."""
    is_ours: bool = False
    """Whether we ended it."""


def how_it_ended(ending: Ending) -> str:
    """Return the reason why an environment is gone."""
    if ending.is_ours:
        return "the container was ended"
    if ending.counters.oom_kills and ending.status in _KILLED:
        limit = ending.limits.memory
        bound = f" of {_size(limit)} (--podman-memory)" if limit else ""
        return f"the kernel killed the agent: the container was out of its memory{bound}"
    return _end_of_agent(ending) + _hints(ending) + _said(ending.last_words)


def _end_of_agent(ending: Ending) -> str:
    if not ending.monitor_was_alive:
        return "the agent ended, how is not known: the container's monitor (conmon) was killed"
    if ending.status is None:
        return f"the agent ended, how is not known: {ending.trouble or 'podman does not tell'}"
    if ending.status > 128:
        return f"the agent was killed by {_name_of(ending.status - 128)}"
    return f"the agent exited with status {ending.status}"


def _hints(ending: Ending) -> str:
    hints = []
    if ending.counters.oom_kills:
        hints.append(f"processes killed for want of memory: {ending.counters.oom_kills}")
    if ending.counters.refused_processes:
        limit = ending.limits.pids
        bound = f" of {limit} (--podman-pids)" if limit else ""
        hints.append(f"the limit{bound} on processes was met")
    return f" ({'; '.join(hints)})" if hints else ""


def _said(last_words: str) -> str:
    return f": {last_words}" if last_words else ""


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _size(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} bytes"
