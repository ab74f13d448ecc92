"""The ssh spawner: an environment is a device under test, leased for as long as a job uses it.

Not responsible for getting an agent there (``opening``), for one that is there (``handle``), nor
for which devices there are (``nrunner.inventory``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nrunner.dutmemory import DutMemory
from nrunner.errors import LinkError, PluginError, SpawnError
from nrunner.inventory import Dut
from nrunner.offload import offload
from nrunner.spawners.agentfile import agent_file
from nrunner.spawners.base import Bar, Handle, Offer, SpawnerContext
from nrunner.spawners.ssh.device import Device
from nrunner.spawners.ssh.guard import Guard
from nrunner.spawners.ssh.handle import DutHandle, Found, Home
from nrunner.spawners.ssh.opening import Opening
from nrunner.spawners.ssh.settings import Settings

__all__ = ["SshSpawner", "make_spawner"]

_UNDO_WITHIN = 4.0
_ALONE_AHEAD = 64
"""How many attempts the only device has in stock. Of several, one that runs a single test gets the
next once it is free: another may be sooner."""


class SshSpawner:
    """Has an agent on each device that is used."""

    name = "ssh"
    description = "devices under test, over SSH"

    def __init__(self, context: SpawnerContext, settings: Settings, duts: Sequence[Dut]) -> None:
        self._context = context
        self._settings = settings
        self._devices = {_place(dut): Device(dut) for dut in duts}
        self._guard = Guard(
            DutMemory(),
            {place: device.dut for place, device in self._devices.items()},
            f"job {context.job_id[:7]} of this machine (pid {os.getpid()})",
        )
        self._home = Home(settings.patience, context.runtime_folder)
        self._chores: set[asyncio.Task[Any]] = set()

    def offers(self) -> tuple[Offer, ...]:
        """Offer each device, with the slots that the inventory gives it."""
        return tuple(
            Offer(
                place,
                device.dut.slots,
                queue=_ALONE_AHEAD if len(self._devices) == 1 else device.dut.slots - 1,
                shares_files=False,
                is_pooled=True,
                tags=device.dut.tags,
            )
            for place, device in self._devices.items()
        )

    async def open(self, place: str, base: str = "", folder: str = "") -> Handle:
        """Lease a device and start an agent there; raise LinkError or SpawnError.

        There are no layers here, and what may be written is not restricted.
        """
        del base, folder
        context = self._context
        archive = await offload(agent_file, context.cache_folder, context.runtime_folder)
        device = self._devices[place]
        await device.watch()
        opening = Opening(device, context.job_id, archive, self._settings, self._home)
        try:
            return await self._guard.opened(place, partial(opening.open, place))
        except BaseException:
            self._add_chore(opening.undo())
            raise

    async def adopt(self, place: str, address: Mapping[str, Any]) -> Handle:
        """Return the handle on an agent of an earlier controller; raise SpawnError."""
        found = Found.at(address)
        device = self._devices.get(place)
        if device is None or device.dut.name != found.dut:
            raise SpawnError(f"adopt an agent on {found.dut}: that device is not in use any more")
        await device.watch()
        handle = DutHandle(place, device, found, "", self._home)
        # It may be out of reach for a while, which says nothing: whoever connects to it will see.
        with contextlib.suppress(LinkError):
            handle.note(await device.ask(found.archive, "look", found.folder, attempts=1))
        await self._guard.take(place, handle)
        return handle

    async def bar(self, place: str) -> Bar | None:
        """Return why a device is not to be used now, None if it may be."""
        return await self._guard.bar(place)

    async def lost(self, place: str, why: str) -> None:
        """Remember that a device failed while we had it."""
        await self._guard.lost(place, why)

    async def served(self, place: str) -> None:
        """Remember that a device was of use."""
        await self._guard.served(place)

    async def close(self) -> None:
        """Wait for what is being cleared away, and hang up everywhere."""
        try:
            async with asyncio.timeout(_UNDO_WITHIN):
                while self._chores:
                    await asyncio.wait(self._chores)
        except TimeoutError:
            pass
        finally:
            for chore in self._chores:
                chore.cancel()
            await self._guard.close()
            for device in self._devices.values():
                await device.close()

    def _add_chore(self, work: Coroutine[Any, Any, None]) -> None:
        async def do() -> None:
            with contextlib.suppress(SpawnError):
                await work

        chore = asyncio.ensure_future(do())
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)


def _place(dut: Dut) -> str:
    return f"ssh:{dut.name}"


def make_spawner(context: SpawnerContext) -> SshSpawner:
    """Make the spawner for a job.

    Raise PluginError if paramiko is not installed, ConfigError or UsageError for want of devices.
    """
    if find_spec("paramiko") is None:
        raise PluginError(
            "run tests on devices: the package paramiko is missing (pip install 'nrunner[ssh]')"
        )
    settings = Settings.from_config(context.config)
    return SshSpawner(context, settings, settings.select(Path(context.base_dir)))
