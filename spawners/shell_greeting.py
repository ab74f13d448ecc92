"""What an agent of sh says of itself when it is greeted.

Not responsible for what happened before, which it says next (``nrunner.spawners.shell_story``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nrunner.record import dataclass
from nrunner.runners.procfs import boot_id

__all__ = ["SHELL_KINDS", "Greeting"]

SHELL_KINDS = frozenset({"exec-test", "noop", "tap"})
"""Kinds of Runnables that need no Python where they run."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """Who it is, and what runs there."""

    protocol: int
    boot_id: str
    pid: int
    born: int
    """Second after the boot in which it began; it counts hundredths from there."""
    now: float
    arch: str
    crew: int
    """How many slots there are."""
    first: int
    last: int
    slots: Mapping[tuple[int, int], int]
    """The slot of each attempt that runs."""

    @classmethod
    def parse(cls, text: str) -> Greeting:
        """Read it; raise ValueError."""
        protocol, boot, pid, born, now, arch, crew, first, last, *tasks = text.split(" ")
        slots = {}
        for each in filter(None, tasks):
            task, attempt, slot = map(int, each.split("."))
            slots[task, attempt] = slot
        numbers = int(born), int(now) / 100, arch, int(crew), int(first), int(last)
        return cls(int(protocol), boot, int(pid), *numbers, slots)

    @property
    def clock(self) -> float | None:
        """What is to be added to its times to have ours, None where clocks have nothing in common.

        It counts from the boot; so do we, but for the time that the machine was asleep.
        """
        if self.boot_id != boot_id():
            return None
        return self.born - (time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())

    def frame(self) -> dict[str, Any]:
        """Return the frame in which any agent says this."""
        return {
            "type": "hello",
            "protocol": self.protocol,
            "boot_id": self.boot_id,
            "pid": self.pid,
            "python": "",
            "arch": self.arch,
            "kinds": sorted(SHELL_KINDS),
            "tasks": [list(key) for key in self.slots if key[0] > 0],
            "first": self.first,
            "last": self.last,
            "time": self.born + self.now,
        }
