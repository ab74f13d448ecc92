"""Taking care of a device over SSH, apart from jobs (`nrunner.dutcare`).

Not responsible for what follows from what is found, nor for what people are told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nrunner.dutcare import Said, ShownKey, Step, Tenant
from nrunner.duthealth import Failed, Sound, Stuck, Taken
from nrunner.errors import LinkError, PluginError, SpawnError
from nrunner.inventory import Dut
from nrunner.offload import offload
from nrunner.spawners.agentfile import agent_file
from nrunner.spawners.ssh.connection import ask_host_key
from nrunner.spawners.ssh.device import Device
from nrunner.spawners.ssh.hostkey import HostKey
from nrunner.spawners.ssh.lease import held_by, until_of
from nrunner.spawners.ssh.survey import Survey

__all__ = ["SshCare", "make_care"]

_CLOCK_OFF = 5.0
"""Seconds that clocks may differ before it is worth a word."""


class SshCare:
    """One device."""

    def __init__(self, dut: Dut, folders: tuple[Path, ...]) -> None:
        self._dut = dut
        self._folders = folders
        self._device = Device(dut)

    async def shown_key(self) -> ShownKey:
        """Return the key that is shown; nobody logs in."""
        key = await ask_host_key(self._dut)
        return ShownKey(str(key), key.fingerprint)

    def fingerprint(self, key: str) -> str:
        """Return what people compare of a key; raise SpawnError for text that is none."""
        return HostKey.parse(key).fingerprint

    async def examine(self) -> AsyncIterator[Step]:
        """Yield what is found, step by step; the first that is not fine is the last one."""
        name, shown = "reach", None
        try:
            begun = time.monotonic()
            shown = await ask_host_key(self._dut)
            yield Step(name, f"answers after {_told_time(time.monotonic() - begun)}")
            name = "identify"
            if not self._dut.host_key:
                said = f"its host key {shown.fingerprint} is not in the inventory"
                yield Step(name, f"{said} (nrunner dut enrol {self._dut.name})", False)
                return
            await self._device.connected(attempts=1)
            yield Step(name, f"{shown.sort} {shown.fingerprint}, logged in as {self._dut.user}")
            name = "look over"
            survey = await self._device.look_over()
            complaint = survey.complaint()
            if complaint:
                yield Step(name, complaint, False, Failed(complaint))
                return
            yield Step(name, _told(survey, self._device.clock_offset))
            name = "lease"
            yield _told_tenant(await self.tenant())
        except SpawnError as error:
            reason = f"could not {error}"
            # A key that is missing here is no fault of the device.
            is_ours = name == "identify" and not isinstance(error, LinkError)
            is_other = shown is not None and not self._is_meant(shown)
            happening = None if is_ours and not is_other else Failed(reason)
            yield Step(name, reason, False, happening)

    def _is_meant(self, shown: HostKey) -> bool:
        try:
            return HostKey.parse(self._dut.host_key) == shown
        except SpawnError:
            return True

    async def tenant(self) -> Tenant:
        """Return who holds the lease."""
        lease = await self._ask("lease")
        offset = self._device.clock_offset
        return Tenant(
            held_by(lease, offset),
            lease.get("answers") is not False,
            tuple(str(each) for each in lease.get("processes", ())),
            until_of(lease, offset),
        )

    async def evict(self) -> list[str]:
        """Kill who holds the lease, and all that runs below; return that, in words."""
        said = await self._ask("release")
        if said.get("held") is True:
            raise SpawnError(
                f"release {self._device.label}: its lease is still held after all that holds it"
                " was killed (does it hang in the kernel? a power cycle helps)"
            )
        return [str(each) for each in said.get("ended", ())]

    async def boot_id(self, within: float) -> str:
        """Return the id of its boot, asked over a new connection."""
        self._device.abort()
        try:
            async with asyncio.timeout(within):
                await self._device.connected(attempts=1)
                said = await self.run("cat /proc/sys/kernel/random/boot_id", within)
        except TimeoutError as error:
            raise LinkError(f"reach {self._device.label}: no answer in {within:g} s") from error
        return said.output.strip()

    async def run(self, command: str, within: float) -> Said:
        """Have its shell run a command."""
        connection = await self._device.connected(attempts=1)
        output = await connection.run("run a command", command, within=within)
        return Said(output.status, (output.stdout + output.stderr).decode("utf-8", "replace"))

    async def close(self) -> None:
        """Hang up."""
        await self._device.close()

    async def _ask(self, word: str) -> Mapping[str, Any]:
        """Have our file do what a word says in the work folder there; it is brought if need be."""
        archive = await offload(agent_file, *self._folders)
        there = await self._device.equip(archive)
        assert self._device.survey is not None
        return (await self._device.ask(there, word, self._device.survey.work)).fields


def make_care(dut: Dut, folders: tuple[Path, ...]) -> SshCare:
    """Return the care of a device; raise PluginError if paramiko is not installed."""
    if find_spec("paramiko") is None:
        raise PluginError(
            "reach devices: the package paramiko is missing (pip install 'nrunner[ssh]')"
        )
    return SshCare(dut, folders)


def _told(survey: Survey, offset: float) -> str:
    version = ".".join(map(str, survey.python))
    python = f"Python {version}" if survey.has_python else "no Python: an agent of sh"
    parts = [
        f"{survey.arch}, {python}",
        f"{survey.free >> 20} MiB free in {survey.work}",
        f"load {survey.load:g} on {survey.cpus}",
    ]
    if abs(offset) > _CLOCK_OFF:
        parts.append(f"its clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead'}")
    return ", ".join(parts)


def _told_tenant(tenant: Tenant) -> Step:
    if not tenant.held:
        return Step("lease", "free", happening=Sound())
    if tenant.is_borked:
        reason = "its lease is held, and no agent answers there"
        return Step("lease", f"borked: {reason}", False, Stuck(reason))
    return Step("lease", tenant.held, happening=Taken(tenant.held, tenant.until))


def _told_time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
