"""A spawner whose environment sees none of the job's files, though it is on this machine.

A real agent, in a folder of its own that nobody else is to look into, behind a `Line` that can be
cut. So what a device over a network needs of the core can be tried without one. Not responsible
for the agent itself (``nrunner.spawners.process``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import SpawnError
from nrunner.offload import offload
from nrunner.plugins import find_plugin
from nrunner.runners.removal import remove_tree
from nrunner.runners.spool import Remains, read_remains
from nrunner.spawners.base import Handle, Offer, Spawner, SpawnerContext
from nrunner.testing.line import Line

__all__ = ["DistantHandle", "DistantSpawner"]

_PLACE = "distant"
_AHEAD = 32


class DistantSpawner:
    """Starts agents that have nothing but a folder of their own."""

    name = "distant"
    description = "agents that see none of our files"

    def __init__(self, context: SpawnerContext, *, patience: float = 60.0) -> None:
        self.line = Line()
        """Between here and all environments."""
        self.handles: list[DistantHandle] = []
        self._context = context
        self._patience = patience
        self._agents: Spawner = find_plugin("spawners", "process").load()(context)

    def offers(self) -> tuple[Offer, ...]:
        """Offer one place, as a device would be."""
        slots = self._context.max_parallel
        return (Offer(_PLACE, slots, queue=slots + _AHEAD, shares_files=False),)

    async def open(self, place: str, base: str = "", folder: str = "") -> DistantHandle:
        """Start an agent; raise SpawnError."""
        del base, folder
        inner = await self._agents.open(place)
        far = f"{inner.address['folder']}-far"
        try:
            _make(far)
        except OSError as error:
            await inner.destroy()
            raise SpawnError(f"make {far}: {error.strerror}") from error
        return self._handle(inner, far)

    async def adopt(self, place: str, address: Mapping[str, Any]) -> DistantHandle:
        """Return the handle on an agent that an earlier controller started; raise SpawnError."""
        inner = await self._agents.adopt(place, address)
        return self._handle(inner, f"{inner.address['folder']}-far")

    async def close(self) -> None:
        """Release what the spawner itself holds."""
        await self._agents.close()

    def _handle(self, inner: Handle, folder: str) -> DistantHandle:
        handle = DistantHandle(inner, folder, self._patience, self.line)
        self.handles.append(handle)
        return handle


class DistantHandle:
    """A real agent behind a line."""

    def __init__(self, inner: Handle, folder: str, patience: float, line: Line) -> None:
        self.name = inner.name
        self.token = inner.token
        self.address = inner.address
        self.folder = folder
        self.patience = patience
        self._inner = inner
        self._line = line
        self._left: Remains | None = None
        self.has_restarted = False
        self.restarts: list[str] = []
        """The commands by which it was to be rebooted: "" is the usual one, which works."""

    async def restart(self, command: str) -> None:
        """Have the agent end as in a reboot; any command but the usual one does nothing."""
        self.restarts.append(command)
        if command == "false":
            raise SpawnError("reboot: not permitted")
        if not command:
            self.has_restarted = True
            await self._inner.destroy()

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect over the line; raise LinkError."""
        await self._line.connect(self._inner.connect, factory)

    async def wait_gone(self) -> str:
        """Wait for the end of the agent, which is not heard of while the line is down."""
        return await self._inner.wait_gone()

    async def remains(self) -> Remains | None:
        """Return what the agent left in the file of its spool."""
        return read_remains(f"{self.folder}/spool") or self._left

    async def destroy(self) -> None:
        """Kill the agent, and remove its folder."""
        await self._inner.destroy()
        self._left = read_remains(f"{self.folder}/spool") or self._left
        await offload(remove_tree, self.folder)


def _make(folder: str) -> None:
    """Make a folder at once: whoever opens may be cancelled wherever it waits."""
    Path(folder).mkdir(mode=0o700)


def make_spawner(context: SpawnerContext) -> DistantSpawner:
    """Make the spawner for a job."""
    return DistantSpawner(context)
