"""Training a device: it is restarted again and again, and looked at each time.

It is qualified only if every loop passes. Logs of loops that failed are kept, no others. Not
responsible for what follows for its health, nor for how it is reached (``nrunner.dutcare``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from nrunner.dutcare import REBOOT, Care
from nrunner.duthealth import Taken
from nrunner.errors import NrunnerError, SpawnError, UnfitError
from nrunner.inventory import Dut
from nrunner.labhook import Console, run_hook
from nrunner.offload import offload
from nrunner.record import dataclass
from nrunner.runners.removal import remove_tree

__all__ = ["Loop", "Occupied", "Plan", "Tally", "Training", "Untrainable", "way_to_restart"]

_ORDER_WITHIN = 15.0
_ASK_WITHIN = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Untrainable(NrunnerError):
    """A device cannot be restarted from here."""


class Occupied(NrunnerError):
    """Somebody uses the device, who is not to be disturbed."""


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    loops: int
    folder: Path
    """Where logs of failed loops are kept, each in a folder of its own."""
    checks: tuple[str, ...] = ()
    """Commands that must succeed there after each restart, beside what is always looked at."""
    boot_within: float = 300.0
    check_within: float = 60.0
    stops_early: bool = False
    """Whether the first loop that fails is the last one."""


@dataclass(frozen=True)
class Loop:
    """One restart, and what came of it."""

    number: int
    seconds: float
    failure: str = ""
    """Why it failed; empty if it passed."""


@dataclass(frozen=True)
class Tally:
    """What has come of all loops so far."""

    wanted: int
    passed: int = 0
    failed: int = 0
    first_failure: str = ""

    def plus(self, loop: Loop) -> Tally:
        """Return the tally with another loop."""
        if not loop.failure:
            return Tally(self.wanted, self.passed + 1, self.failed, self.first_failure)
        first = self.first_failure or f"loop {loop.number}: {loop.failure}"
        return Tally(self.wanted, self.passed, self.failed + 1, first)

    @property
    def is_qualified(self) -> bool:
        """Whether every loop that was wanted has passed."""
        return self.passed == self.wanted and not self.failed


def way_to_restart(dut: Dut) -> str:
    """Return how a device is restarted, in words: by its power if there is a hook for that."""
    if dut.hooks.power_cycle:
        return "power_cycle"
    if dut.hooks.power_off and dut.hooks.power_on:
        return "power_off and power_on"
    return "reboot"


class Training:
    """All loops of one device."""

    def __init__(self, dut: Dut, care: Care, plan: Plan) -> None:
        self._dut = dut
        self._care = care
        self._plan = plan

    async def loops(self) -> AsyncIterator[Loop]:
        """Do the loops; yield each when it has ended."""
        for number in range(1, self._plan.loops + 1):
            loop = await self._loop(number)
            yield loop
            if loop.failure and self._plan.stops_early:
                return

    async def _loop(self, number: int) -> Loop:
        folder = self._plan.folder / f"loop-{number:04}"
        folder.mkdir(mode=0o700, parents=True)
        begun = time.monotonic()
        failure = "it was interrupted"
        try:
            with (folder / "log").open("w", encoding="utf-8", buffering=1) as log:
                note = _Notes(log.write)
                async with self._console(folder / "console.log", note):
                    failure = await self._trouble(note)
                note.add(f"FAILED: {failure}" if failure else "passed")
        finally:
            if not failure:
                await offload(remove_tree, str(folder))
        return Loop(number, time.monotonic() - begun, failure)

    async def _trouble(self, note: _Notes) -> str:
        """Return why a loop fails, empty if it passes."""
        try:
            before = await self._boot_before(note)
            await self._restart(note)
            await self._wait_back(before, note)
            return await self._check(note)
        except SpawnError as error:
            return f"could not {error}"

    async def _boot_before(self, note: _Notes) -> str:
        try:
            return await self._care.boot_id(_ASK_WITHIN)
        except SpawnError as error:
            if way_to_restart(self._dut) == "reboot":
                raise
            note.add(f"before: could not {error}")
            return ""  # off, or hanging: its power is switched all the same

    async def _restart(self, note: _Notes) -> None:
        hooks = self._dut.hooks
        names = ["power_cycle"] if hooks.power_cycle else ["power_off", "power_on"]
        if way_to_restart(self._dut) == "reboot":
            await self._reboot(note)
            return
        for name in names:
            try:
                note.add(f"{name}: {await run_hook(self._dut, name)}")
            except UnfitError as error:
                # What is missing here is no sign of how reliable the device is.
                note.add(f"{name}: could not {error}")
                raise Untrainable(str(error)) from error

    async def _reboot(self, note: _Notes) -> None:
        try:
            said = await self._care.run(REBOOT, _ORDER_WITHIN)
        except SpawnError as error:
            note.add(f"reboot: {error}")  # as it should be: it hung up
            return
        note.add(f"reboot: status {said.status} {said.output}")
        if said.status > 0:
            # That is how it was set up, and no sign of how reliable it is.
            last = said.output.strip().splitlines()[-1:] or [f"status {said.status}"]
            raise Untrainable(
                f"reboot {self._dut.name}: {last[0].strip()} (its user has to be allowed to, or its"
                " entry in the inventory has to have a power_cycle)"
            )

    async def _wait_back(self, before: str, note: _Notes) -> None:
        """Wait for another boot; raise SpawnError if there is none in time."""
        within, pause, last = self._plan.boot_within, _FIRST_PAUSE, "it did not go down"
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            try:
                boot = await self._care.boot_id(min(_ASK_WITHIN, left))
                if boot and boot != before:
                    note.add(f"is back as boot {boot}")
                    return
            except SpawnError as error:
                last = f"could not {error}"
            await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        raise SpawnError(f"see {self._dut.name} back within {within:g} s: {last}")

    async def _check(self, note: _Notes) -> str:
        async for step in self._care.examine():
            note.add(f"{step.name}: {step.said}")
            if isinstance(step.happening, Taken):
                raise Occupied(f"train {self._dut.name}: it was taken meanwhile: {step.said}")
            if not step.is_fine:
                return f"{step.name}: {step.said}"
        for command in self._plan.checks:
            said = await self._care.run(command, self._plan.check_within)
            note.add(f"$ {command}\n{said.output}")
            if said.status != 0:
                return f"{command!r} ended with status {said.status}"
        return ""

    @contextlib.asynccontextmanager
    async def _console(self, log: Path, note: _Notes) -> AsyncIterator[None]:
        """Have the console's output kept, if there is a hook for that; it fails nothing."""
        if not self._dut.hooks.console:
            yield
            return
        console = Console(self._dut)
        try:
            await console.open(log)
        except SpawnError as error:
            note.add(f"console: could not {error}")
        try:
            yield
        finally:
            await console.close()


class _Notes:
    """The log of a loop: what was done, and when."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def add(self, text: str) -> None:
        """Add something; no room for it is no failure of the device."""
        with contextlib.suppress(OSError):
            self._write(f"{time.strftime('%H:%M:%S')} {text.rstrip()}\n")
