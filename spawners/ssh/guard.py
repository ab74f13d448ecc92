"""What is remembered of devices while a job uses them: who has them, what failed, what they served.

Not responsible for what follows from that (``nrunner.duthealth``), nor for where it is kept
(``nrunner.dutmemory``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from nrunner.duthealth import Failed, Happening, Returned, Served, State, Stuck, Taken
from nrunner.dutmemory import DutMemory
from nrunner.errors import SpawnError, UnfitError
from nrunner.inventory import Dut
from nrunner.offload import offload
from nrunner.spawners.base import Bar, Handle
from nrunner.spawners.ssh.login import StrangerError

__all__ = ["BorkedError", "Guard", "LeasedError"]

_KNOWN_FOR = 900.0
"""Seconds for which it is remembered that we have a device, unless that is said again."""


class LeasedError(SpawnError):
    """Somebody else has a device, who answers."""

    def __init__(self, message: str, owner: str, until: float) -> None:
        """`until` is by our clock, when the lease ends if it is not renewed."""
        super().__init__(message)
        self.owner = owner
        self.until = until


class BorkedError(UnfitError):
    """A device is leased, and nobody answers for it there."""


class Guard:
    """The devices of a job, as far as their owners are concerned."""

    def __init__(self, memory: DutMemory, duts: Mapping[str, Dut], owner: str) -> None:
        """`duts` are by place; `owner` is what people are told who has them."""
        self._memory = memory
        self._duts = duts
        self._owner = owner
        self._held: dict[str, asyncio.Task[None]] = {}
        """What says again and again that we have a device, by place."""
        self._order = asyncio.Lock()
        """What happens is remembered in the order in which it happened."""

    async def bar(self, place: str) -> Bar | None:
        """Return why a device is not to be used now, None if it may be."""
        health = await offload(self._memory.health, self._duts[place])
        now = time.time()
        if health.state is State.RETIRED:
            return Bar(0.0, f"it is retired: {health.reason}", is_final=True)
        if health.state is State.QUARANTINED and not health.is_due(now):
            return Bar(health.until - now, health.reason)
        return None

    async def opened(self, place: str, opening: Callable[[], Awaitable[Handle]]) -> Handle:
        """Return the handle that an opening comes to, and remember what that says of the device."""
        try:
            handle = await opening()
        except LeasedError as error:
            await self.note(place, Taken(error.owner, error.until))
            raise
        except BorkedError as error:
            await self.note(place, Stuck(str(error)))
            raise
        except SpawnError as error:
            # What is missing here, a key say, is no fault of the device.
            if not isinstance(error, UnfitError) or isinstance(error, StrangerError):
                await self.note(place, Failed(f"could not {error}"))
            raise
        await self.take(place, handle)
        return handle

    async def take(self, place: str, handle: Handle) -> None:
        """Remember that we have a device, until the handle on it says that it is gone."""
        # Before that is written: whoever is cancelled meanwhile leaves it to `close`.
        holding = asyncio.create_task(self._hold(place, handle), name=f"remember {place}")
        self._held[place] = holding
        await self.note(place, Taken(self._owner, time.time() + _KNOWN_FOR))

    async def close(self) -> None:
        """Remember that we have no device any more."""
        for place, holding in self._held.items():
            if not holding.done():
                holding.cancel()
                await asyncio.wait([holding])
                await self.note(place, Returned())

    async def lost(self, place: str, why: str) -> None:
        """Remember that a device failed while we had it."""
        await self.note(place, Failed(why))

    async def served(self, place: str) -> None:
        """Remember that a device was of use."""
        await self.note(place, Served())

    async def note(self, place: str, happening: Happening) -> None:
        """Remember what happened, even if whoever says so is cancelled."""
        await asyncio.shield(asyncio.ensure_future(self._write(place, happening)))

    async def _write(self, place: str, happening: Happening) -> None:
        async with self._order:
            await offload(self._memory.note, self._duts[place], happening)

    async def _hold(self, place: str, handle: Handle) -> None:
        while True:
            try:
                async with asyncio.timeout(_KNOWN_FOR / 3):
                    await handle.wait_gone()
            except TimeoutError:
                await self.note(place, Taken(self._owner, time.time() + _KNOWN_FOR))
            else:
                await self.note(place, Returned())
                return
