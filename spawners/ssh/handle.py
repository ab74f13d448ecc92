"""The handle on a device's agent: how it is reached, watched and ended.

A link that is lost says nothing about the agent: that it is gone is known only from the device
itself, from another boot of it, or from us. Not responsible for starting it (``opening``), nor for
the connection (``device``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import LinkError, SpawnError
from nrunner.offload import offload
from nrunner.record import dataclass
from nrunner.runners.removal import remove_tree
from nrunner.runners.spool import Remains
from nrunner.spawners.ssh.agent import sort_of
from nrunner.spawners.ssh.device import Device
from nrunner.spawners.ssh.lease import held_by
from nrunner.spawners.ssh.words import Answer, shown

__all__ = ["DutHandle", "Found", "Home"]

_DESTROY_WITHIN = 15.0
_DOWN_WITHIN = 60.0
"""Seconds that a device may take to go down."""
_WATCH_AFTER = 1.0
"""Seconds without a link after which the device is asked whether the agent is there."""
_REACH_WITHIN = 4.0
"""Seconds for which a device that must be reached anew is waited for, to end what is there."""
_REACH_LOST_WITHIN = 1.0
"""The same for one that could not be reached a moment ago."""
_PAUSE = 0.2
"""Seconds between tries to reach one: its sshd may be about to start."""
# Exit statuses of nrunner.runners.relay.
_ENDED, _VANISHED = 10, 12


@dataclass(frozen=True, slots=True)
class Found:
    """Which agent it is."""

    dut: str
    folder: str
    """The agent's, there."""
    archive: str
    """The agent's file, there."""
    pid: int
    start: int
    boot_id: str

    @property
    def address(self) -> Mapping[str, Any]:
        """What it is found again by."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def at(cls, address: Mapping[str, Any]) -> Found:
        """Read an address; raise SpawnError for one that is none."""
        try:
            texts = [address[name] for name in ("dut", "folder", "archive", "boot_id")]
            dut, folder, archive, boot_id = (text for text in texts if isinstance(text, str))
            return cls(dut, folder, archive, int(address["pid"]), int(address["start"]), boot_id)
        except (KeyError, TypeError, ValueError) as error:
            raise SpawnError(f"find an agent by {dict(address)}: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Home:
    """The controller's side of a handle."""

    patience: float
    """For how many seconds its link may be lost."""
    folder: Path
    """Where files may be kept here for a while."""


class DutHandle:
    """An agent on a device, or what is left of one."""

    def __init__(self, name: str, device: Device, found: Found, token: str, home: Home) -> None:
        self.patience = home.patience
        self.name = name
        self.token = token
        self.address: Mapping[str, Any] = found.address
        self.folder = found.folder
        self._device = device
        self._found = found
        self._sort = sort_of(found.archive)
        self._staging = home.folder / f"staged-{found.folder.rpartition('/')[2]}"
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._relays = 0
        """How many channels to the agent there are."""
        self._left: Remains | None = None
        self._is_removed = False
        self._is_lost = False
        """Whether it could not be reached when that was tried last."""
        self.has_restarted = False
        self._is_restarting = False
        """Whether a reboot was asked for: until there was one, its agent's end says nothing."""
        self._last_words = ""
        """What the console said when the link was lost: what comes after is the next boot."""
        self._down_by = 0.0
        """When it should have gone down, by the loop's clock."""
        self._destroying: asyncio.Task[None] | None = None

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Have the agent's bytes carried here; raise LinkError."""
        self._is_lost = True
        await self._connect(factory)
        self._is_lost = False

    async def _connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        reach = f"reach the agent on {self._device.label}"
        if self._gone.done():
            raise LinkError(f"{reach}: {self._gone.result()}")
        try:
            channel, answer, rest = await self._device.relay(
                self._found.archive, self._found.folder
            )
        except LinkError:
            raise
        except SpawnError as error:
            # Another machine answers there, or it lets us in no more: that does not pass, unless
            # it is starting up.
            if not self._is_restarting:
                self.is_gone(f"could not {error}")
            raise LinkError(str(error)) from error
        why = self._why_gone(answer)
        going_down = asyncio.get_running_loop().time() < self._down_by
        if why or going_down or answer.fields.get("ok") is not True:
            await offload(channel.close)
            if why:
                self.is_gone(why)
            reason = why or ("it is about to reboot" if going_down else answer.fields.get("why"))
            raise LinkError(f"{reach}: {reason}")
        # Of one that was taken over while it could not be reached nobody has told us.
        self.token = self.token or str(answer.fields.get("token", ""))
        execute = self._device.execute
        self._relays += 1
        self._sort.speak(channel, factory, rest, self._relay_ended, self._staging, execute)

    async def wait_gone(self) -> str:
        """Wait until the agent is certainly gone; return how, in words."""
        watching = asyncio.ensure_future(self._watch())
        try:
            return await asyncio.shield(self._gone)
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        """Ask the device for the end of the agent while nothing else tells of it.

        A relay does; and whoever connects anew, where the connection to the device was lost.
        """
        while True:
            await asyncio.sleep(_WATCH_AFTER)
            if self._relays or not self._device.is_connected:
                continue
            with contextlib.suppress(SpawnError):
                self.note(await self._device.wait_end(self._found.archive, self.folder))

    async def remains(self) -> Remains | None:
        """Return what the agent had still to say, also once that is removed."""
        is_in_vain = self._is_removed or (self._is_lost and self._destroying is not None)
        if self._left is None and not is_in_vain:
            try:
                answer = await self._ask("look")
            except (SpawnError, TimeoutError):
                return None
            self._keep(answer)
        return self._left

    async def destroy(self) -> None:
        """End the agent and all that it started, and remove its folder, if it can be reached.

        If it cannot, it does that by itself once its orphan deadline is over.
        """
        if self._destroying is None:
            self._destroying = asyncio.ensure_future(self._destroy())
        await asyncio.shield(self._destroying)

    async def restart(self, command: str) -> None:
        """Have the device reboot, by a command if that is not empty; raise SpawnError."""
        self._is_restarting = True
        try:
            await self._device.restart(command)
        except BaseException:
            self._is_restarting = False
            raise
        # Whoever goes down may do so without a word: it is asked whether it is back.
        self._down_by = asyncio.get_running_loop().time() + _DOWN_WITHIN
        self._device.abort()

    def note(self, answer: Answer) -> None:
        """Take what was found out of an agent that an earlier controller had started."""
        self.token = str(answer.fields.get("token", ""))
        why = self._why_gone(answer)
        if why:
            self._keep(answer)
            self.is_gone(why)

    def is_gone(self, why: str) -> None:
        """Note that the agent is certainly gone."""
        if not self._gone.done():
            self._gone.set_result(why)

    async def _destroy(self) -> None:
        if not self._is_removed:
            try:
                self._keep(await self._ask("remove"))
                self._is_removed = True
            except (SpawnError, TimeoutError):
                self._is_lost = True
                self._device.abort()
        await offload(remove_tree, str(self._staging))
        self.is_gone("it was ended")

    async def _ask(self, word: str) -> Answer:
        """Ask the device about the agent, again if it is away for a moment.

        Raise TimeoutError if it is for longer, SpawnError for what another try does not help.
        """
        now = asyncio.get_running_loop().time
        until = now() + self._reach_within()
        async with asyncio.timeout_at(until) as bound:
            while True:
                try:
                    return await self._device.ask(
                        self._found.archive, word, self.folder, attempts=1
                    )
                except LinkError:
                    # What is lost only now is not waited for as long as what is slow.
                    until = min(until, now() + _REACH_WITHIN)
                    bound.reschedule(until)
                    await asyncio.sleep(_PAUSE)

    def _reach_within(self) -> float:
        if self._is_lost:
            return _REACH_LOST_WITHIN
        return _DESTROY_WITHIN if self._device.is_connected else _REACH_WITHIN

    def _keep(self, answer: Answer) -> None:
        if answer.fields.get("spool") is True:
            self._left = self._sort.remains(answer.body)

    def _relay_ended(self, status: int) -> None:
        self._relays -= 1
        self._last_words = self._device.last_words
        if status == _VANISHED:
            self._is_removed = True
        if status in (_ENDED, _VANISHED) and not self._is_restarting:
            self.is_gone(f"the agent on {self._device.label} has ended")

    def _why_gone(self, answer: Answer) -> str:
        """Return why the agent is certainly gone, from what is said of it there, if it is."""
        said = answer.fields
        device = self._device.label
        if said.get("boot_id") != self._found.boot_id:
            self.has_restarted = True
            if self._is_restarting:
                return f"{device} was rebooted, as was asked for"
            console = self._last_words or self._device.last_words
            told = f" (its console: {console})" if console else ""
            return f"{device} has rebooted by itself: what ran there is gone{told}"
        if self._is_restarting:
            return ""
        if said.get("ok") is True or said.get("alive") is True:
            return ""
        holder = held_by(said.get("lease"), self._device.clock_offset)
        if holder:
            return f"{device} was taken from this job: it is {holder}"
        words = shown(said.get("log") or "")
        return f"the agent on {device} has ended{f': {words}' if words else ''}"
