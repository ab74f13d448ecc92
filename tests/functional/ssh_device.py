"""Agents on devices, for tests: opened by the real spawner, spoken to as a job does."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nrunner.inventory import Dut as Entry
from nrunner.runnable import Runnable
from nrunner.spawners.base import SpawnerContext
from nrunner.spawners.ssh.handle import DutHandle
from nrunner.spawners.ssh.settings import Settings
from nrunner.spawners.ssh.spawner import SshSpawner
from nrunner.testing.talk import Talk
from tests.duts import Dut

WITHIN = 40.0
"""Seconds for a test, also where the processors are busy: sh alone carries a file in many steps."""
WORK = "root/.cache/nrunner-dut"
KEPT = (f"{WORK}/agents", f"{WORK}/lease/lock")
"""What stays on a device on purpose, for the next job, beside the empty folder of jobs."""
SLEEPS = Runnable("exec-test", "/bin/sh", ("-c", "exec sleep 1000"))
STUBBORN = Runnable("exec-test", "/bin/sh", ("-c", "trap '' TERM; while :; do sleep 0.2; done"))
PRINTS = Runnable("exec-test", "/bin/sh", ("-c", "echo hello; exit 3"))


def entry(dut: Dut, **changes: Any) -> Entry:
    """Return a device as an inventory describes it."""
    known = {name: getattr(dut, name) for name in ("name", "address", "port", "user")}
    return Entry(**{**known, "key": dut.key, "host_key": dut.host_key, "slots": 2, **changes})


@dataclass
class Site:
    """A controller's side: what it needs to have a spawner."""

    folder: Path
    job: str

    def spawner(self, *duts: Dut, **changes: Any) -> SshSpawner:
        """Return a new spawner for devices."""
        runtime = self.folder / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        context = SpawnerContext(self.job, runtime, self.folder / "cache", 2)
        return SshSpawner(context, Settings(), [entry(dut, **changes) for dut in duts])

    @contextlib.asynccontextmanager
    async def spawning(self, *duts: Dut, **changes: Any) -> AsyncIterator[SshSpawner]:
        """Give a spawner, and close it."""
        spawner = self.spawner(*duts, **changes)
        try:
            yield spawner
        finally:
            await spawner.close()

    async def opened(self, spawner: SshSpawner, **settings: Any) -> tuple[DutHandle, Talk]:
        """Return an environment on the first device, and a conversation with its agent."""
        handle = await spawner.open(spawner.offers()[0].place)
        assert isinstance(handle, DutHandle)
        talk = self.talk(handle, **settings)
        await talk.environment.open()
        return handle, talk

    def talk(self, handle: DutHandle, *, epoch: int = 1, adopts: bool = False, **more: Any) -> Talk:
        """Return a conversation with the agent of a handle, which is not greeted yet."""
        settings = {
            "job_id": self.job,
            "base_dir": "/",
            "results_dir": f"{handle.folder}/results",
            "slots_dir": f"{handle.folder}/slots",
            "slots": 2,
            "enclose": 1 << 14,
            **more,
        }
        return Talk(handle, settings, epoch=epoch, adopts=adopts)


def new_site(folder: Path) -> Site:
    """Return the side of a controller with a job of its own."""
    return Site(folder, secrets.token_hex(20))


def run(main: Callable[[], Awaitable[None]], within: float = WITHIN) -> None:
    """Run a test's coroutine in bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(within):
            await main()

    asyncio.run(bounded())


async def eventually(holds: Callable[[], object], what: str, within: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(within):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


def left(duts: Sequence[Dut]) -> list[str]:
    """Return what is on devices and does not stay there on purpose.

    What carried our bytes there learns of the end of its connection from its sshd: that may take
    a moment.
    """
    deadline = time.monotonic() + 20.0
    while (found := _left(duts)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _left(duts: Sequence[Dut]) -> list[str]:
    return [
        f"{dut.name}: {each}" for dut in duts for each in dut.left(*KEPT) if each != f"{WORK}/jobs"
    ]
