"""What people can say about devices, typed, from a job's configuration, and which they mean.

Not responsible for what the settings are called or how their values are read from files and flags
(``nrunner.config``), nor for the inventory (``nrunner.inventory``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrunner.dutfilter import select
from nrunner.errors import UsageError
from nrunner.inventory import Dut, find_inventory, read_inventory
from nrunner.record import dataclass

__all__ = ["Settings"]

_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the spawner."""

    inventory: str | None = None
    duts: tuple[str, ...] = ()
    dut_tags: tuple[str, ...] = ()
    patience: float = _PATIENCE
    """Seconds for which a link may be lost."""
    may_group: bool = True
    """Whether agents may make control groups."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings of a job; what is not in there has its default."""
        return cls(
            config.get("ssh.inventory"),
            tuple(config.get("ssh.duts", ())),
            tuple(config.get("ssh.dut_tags", ())),
            float(config.get("ssh.patience", _PATIENCE)),
            config.get("agent.cgroup") != "off",
        )

    def select(self, here: Path) -> tuple[Dut, ...]:
        """Return the devices that are meant and in service; raise ConfigError or UsageError."""
        inventory = read_inventory(find_inventory(self.inventory, here))
        found = select(inventory, self.duts, self.dut_tags)
        in_service = tuple(dut for dut in found if not dut.retired)
        if not in_service:
            reasons = ", ".join(f"{dut.name} ({dut.retired})" for dut in found)
            raise UsageError(f"use a device: all that are meant are out of service: {reasons}")
        return in_service
