"""A spawner for tests: the agent of sh as a process on this machine, under any shell.

Nothing but the applets of one busybox is on its PATH, as in the smallest of containers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.errors import LinkError, SpawnError
from nrunner.offload import offload
from nrunner.runners import killing
from nrunner.runners.procfs import boot_id, read_process
from nrunner.runners.spool import Remains
from nrunner.spawners.base import Offer, SpawnerContext
from nrunner.spawners.process_agent import AgentProcess, OwnAgent, adopted_agent, read_token
from nrunner.spawners.shell_agent import ShellAgent, agent_script

SHELLS: dict[str, tuple[str, ...]] = {
    "busybox": ("busybox", "sh"),
    "dash": ("dash",),
    "bash": ("bash",),
}
_LEAVE_WITHIN = 5.0


class ShellSpawner:
    """Starts agents of sh."""

    name = "shell"
    description = "processes on this machine, supervised by sh"

    def __init__(self, context: SpawnerContext, shell: Sequence[str], prepare: str = "") -> None:
        """`prepare` is run by sh before, in a namespace of mounts of the agent's own."""
        self._context = context
        self._shell = (str(shutil.which(shell[0])), *shell[1:])
        if prepare:
            users = () if os.geteuid() == 0 else ("-r",)
            script = f'{prepare}\nexec "$@"'
            words = (str(shutil.which("unshare")), "-m", *users, "/bin/sh", "-ec", script, "sh")
            self._shell = (*words, *self._shell)
        self._opened = 0

    def offers(self) -> tuple[Offer, ...]:
        return (Offer("shell", self._context.max_parallel),)

    async def open(self, place: str, base: str = "", folder: str = "") -> ShellHandle:
        del base, folder
        self._opened += 1
        home = self._context.runtime_folder / f"agent-{self._opened}"
        home.mkdir(mode=0o700)
        token = secrets.token_hex(8)
        (home / "token").write_text(token + "\n")
        os.mkfifo(home / "door", 0o600)
        words = [*self._shell, str(agent_script()), "serve", str(home)]
        process = self._start(home, [*words, str(self._context.max_parallel)])
        return ShellHandle(place, OwnAgent(process), home, token, self._context.job_id)

    def _start(self, home: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
        with (home / "agent.log").open("wb") as log:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": str(applets(self._context.cache_folder)), "SOME": "thing"},
                start_new_session=True,
            )

    async def adopt(self, place: str, address: Mapping[str, Any]) -> ShellHandle:
        try:
            home = Path(address["folder"])
            process = adopted_agent(address["pid"], address["start"], address["boot_id"])
        except KeyError as error:
            raise SpawnError(f"find an agent by {dict(address)}: {error!r}") from error
        return ShellHandle(place, process, home, read_token(home), self._context.job_id)

    async def close(self) -> None:
        pass


class ShellHandle:
    """An agent of sh on this machine."""

    def __init__(
        self, name: str, process: AgentProcess, home: Path, token: str, job_id: str
    ) -> None:
        self.name = name
        self.token = token
        self.home = home
        self.process = process
        found = read_process(process.pid)
        self.address: Mapping[str, Any] = {
            "folder": str(home),
            "pid": process.pid,
            "start": found.start if found else 0,
            "boot_id": boot_id(),
        }
        self.agent = ShellAgent(home)
        self._job_id = job_id
        self._left: Remains | None = None

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        if self.process.is_gone():
            raise LinkError("reach the agent: it has ended")
        await self.agent.connect(factory)

    async def wait_gone(self) -> str:
        return f"the agent {await self.process.wait_gone()}"

    async def remains(self) -> Remains | None:
        return self.agent.remains() or self._left

    async def destroy(self) -> None:
        if not self.process.is_gone():
            with self.agent.told_to_leave(), contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_WITHIN):
                    await self.process.wait_gone()
        # Its first process leads the session of all that are the agent's own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait_gone()
        await offload(self._sweep)
        self._left = self.agent.remains() or self._left
        shutil.rmtree(self.home, ignore_errors=True)

    def _sweep(self) -> None:
        until = time.monotonic() + 3
        while (left := killing.marked(self._job_id)) and time.monotonic() < until:
            killing.signal_all(left, signal.SIGKILL)
            time.sleep(0.01)


def applets(folder: Path) -> Path:
    """Return a folder with the applets of busybox, and nothing else."""
    found = folder / "applets"
    if not found.exists():
        found.mkdir(parents=True)
        busybox = str(shutil.which("busybox"))
        subprocess.run([busybox, "--install", "-s", str(found)], check=True)
    return found
