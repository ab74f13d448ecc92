"""What people do with a device apart from jobs: look at it, trust it, end what holds it.

A contract, so that commands need not know how a device is reached. Not responsible for any of it
(``nrunner.spawners.ssh.care``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

from nrunner.duthealth import Happening
from nrunner.inventory import Dut
from nrunner.record import dataclass

__all__ = ["REBOOT", "Care", "Said", "ShownKey", "Step", "Tenant"]


REBOOT = "reboot || sudo -n reboot"
"""How a device is told to reboot."""


@dataclass(frozen=True)
class Step:
    """One thing that was looked at."""

    name: str
    said: str
    is_fine: bool = True
    happening: Happening | None = None
    """What it makes of the device's health, if anything."""


@dataclass(frozen=True)
class ShownKey:
    """The host key that whoever answers at a device's address shows."""

    text: str
    """As an inventory has it."""
    fingerprint: str


@dataclass(frozen=True)
class Tenant:
    """Who holds a device's lease."""

    held: str = ""
    """By whom, since and until when, in words; empty if nobody does."""
    answers: bool = True
    """Whether an agent answers there."""
    processes: tuple[str, ...] = ()
    """What would be killed."""
    until: float = 0.0
    """When the lease ends by our clock, if it is not renewed."""

    @property
    def is_borked(self) -> bool:
        """Whether it is held by what cannot be talked to."""
        return bool(self.held) and not self.answers


@dataclass(frozen=True)
class Said:
    """What came of a command that a device was given."""

    status: int
    output: str


class Care(Protocol):
    """One device that is taken care of. What is asked of it raises SpawnError."""

    async def shown_key(self) -> ShownKey:
        """Return the key that is shown; nobody logs in."""
        ...

    def fingerprint(self, key: str) -> str:
        """Return what people compare of a key; raise SpawnError for text that is none."""
        ...

    def examine(self) -> AsyncIterator[Step]:
        """Yield what is found, step by step; the first that is not fine is the last one."""
        ...

    async def tenant(self) -> Tenant:
        """Return who holds the lease."""
        ...

    async def evict(self) -> list[str]:
        """Kill who holds the lease, and all that runs below; return that, in words."""
        ...

    async def boot_id(self, within: float) -> str:
        """Return the id of its boot, asked over a new connection."""
        ...

    async def run(self, command: str, within: float) -> Said:
        """Have its shell run a command."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


MakeCare = Callable[[Dut, tuple[Path, ...]], Care]
"""Returns the care of a device; the folders are where files of ours may be made, here."""
