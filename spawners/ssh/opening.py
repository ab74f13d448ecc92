"""Getting an agent to a device and having it wait for us there, or leaving nothing behind.

Not responsible for the handle on it (``handle``), nor for being cancelled (``spawner``).
"""

from __future__ import annotations

import getpass
import secrets
import socket
from pathlib import Path

from nrunner.record import dataclass
from nrunner.spawners.ssh.agent import Asked
from nrunner.spawners.ssh.device import Device
from nrunner.spawners.ssh.guard import BorkedError, LeasedError
from nrunner.spawners.ssh.handle import DutHandle, Found, Home
from nrunner.spawners.ssh.lease import held_by, until_of
from nrunner.spawners.ssh.settings import Settings

__all__ = ["Opening"]


@dataclass(frozen=True, slots=True)
class _Agent:
    archive: str
    """Its file, there."""
    folder: str


class Opening:
    """One agent on its way."""

    def __init__(
        self, device: Device, job: str, archive: Path, settings: Settings, home: Home
    ) -> None:
        """`archive` is the usual agent's file, here."""
        self._device = device
        self._job = job
        self._archive = archive
        self._settings = settings
        self._home = home
        self._ordered: _Agent | None = None
        """What may be there, from the moment that it was asked for."""

    async def open(self, place: str) -> DutHandle:
        """Look the device over, copy the agent and start it; raise LinkError or SpawnError."""
        device = self._device
        archive = await device.equip(self._archive)
        assert device.survey is not None
        work = device.survey.work
        name = f"{self._job[:12]}.{secrets.token_hex(4)}"
        agent = self._ordered = _Agent(archive, f"{work}/jobs/{name}")
        token = secrets.token_hex(16)
        slots, may_group = device.dut.slots, self._settings.may_group
        asked = Asked(work, name, self._job, _who(), token, slots, may_group)
        answer = await device.start(archive, asked)
        said = answer.fields
        if said.get("held") is True:
            self._ordered = None
            await self._refuse(archive, work, said.get("holder"))
        known = Found.at({**said, "dut": device.dut.name, "archive": agent.archive})
        return DutHandle(place, device, known, token, self._home)

    async def _refuse(self, archive: str, work: str, holder: object) -> None:
        """Raise SpawnError that says who has the device."""
        device = self._device
        answer = await device.ask(archive, "lease", work)
        lease = {**answer.fields, "held": True}
        lease["holder"] = holder or lease.get("holder")
        if not lease["holder"] or lease.get("answers") is False:
            raise BorkedError(
                f"use {device.label}: it is borked: its lease is held, and no agent answers there"
                f" (nrunner dut release --force {device.dut.name})"
            )
        held = held_by(lease, device.clock_offset)
        why = f"use {device.label}: it is {held}"
        raise LeasedError(why, held, until_of(lease, device.clock_offset))

    async def undo(self) -> None:
        """End what may have been started, if it can be reached."""
        agent, self._ordered = self._ordered, None
        if agent is not None:
            await self._device.ask(agent.archive, "remove", agent.folder, attempts=1)


def _who() -> str:
    """Return who we are, for people who find a device taken."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
