"""What the kernel killed for want of memory where we are, as its control group counts it.

A process that ends so says nothing of it: it was killed by a signal, like many others. Read once at
the beginning, then only for attempts that failed. Not responsible for limits, which are set by
whoever made the environment.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nrunner.record import replace
from nrunner.runners.base import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MemoryWatch", "counters"]

_CGROUPS = "/sys/fs/cgroup"
_WORD = "oom_kill "


class MemoryWatch:
    """The counter of our control group, and how far it was looked at."""

    def __init__(self) -> None:
        self._file, self._seen = _counted()

    def blamed(self, outcome: Outcome) -> Outcome:
        """Return the outcome of an attempt that failed, with what was killed since the last one."""
        if not outcome.fail_reason:
            return outcome
        killed = self._news()
        if not killed:
            return outcome
        who = "a process" if killed == 1 else f"{killed} processes"
        reason = f"{outcome.fail_reason} (out of memory: the kernel killed {who} here)"
        return replace(outcome, fail_reason=reason)

    def _news(self) -> int:
        file, count = _counted()
        # Another group than before, as that of an agent that was just moved, began with none.
        news = count - self._seen if file == self._file else count
        self._file, self._seen = file, count
        return news


def counters(cgroup: str) -> Iterator[str]:
    """Yield the files that may count for a process with this content of /proc/PID/cgroup.

    In a container the group of the path may be shown where the root of all groups would be.
    """
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield from (
                f"{_CGROUPS}/memory{path}/memory.oom_control",
                f"{_CGROUPS}/memory/memory.oom_control",
            )
        elif not controllers:
            yield from (f"{_CGROUPS}{path}/memory.events", f"{_CGROUPS}/memory.events")


def _counted() -> tuple[str, int]:
    """Return the file that counts, and its count; no file if none does."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            names = list(counters(file.read()))
    except (OSError, ValueError):
        return "", 0
    for name in names:
        try:
            with open(name, encoding="ascii") as file:
                counts = [int(line[len(_WORD) :]) for line in file if line.startswith(_WORD)]
        except (OSError, ValueError):
            continue
        if counts:
            return name, counts[0]
    return "", 0
