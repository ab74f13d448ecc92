"""The process spawner: one environment, shared by all tasks, on this machine.

Its agent is a process in a session of its own, reached over a unix socket in a folder that only
this user can enter. Not responsible for the conversation with the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from nrunner.errors import LinkError, SpawnError
from nrunner.spawners.agentfile import agent_file
from nrunner.spawners.base import Handle, Offer, SpawnerContext

__all__ = ["ProcessHandle", "ProcessSpawner", "make_spawner"]

_PLACE = "process"
_AHEAD = 32
"""How many attempts an agent has in stock, so that it need not be told of each end at once."""


class ProcessSpawner:
    """Starts an agent on this machine."""

    name = "process"
    description = "processes on this machine"

    def __init__(self, context: SpawnerContext) -> None:
        self._context = context
        self._opened = 0

    def offers(self) -> tuple[Offer, ...]:
        """Offer this machine, with as many slots as the job may use at once."""
        slots = self._context.max_parallel
        return (Offer(_PLACE, slots, queue=slots + _AHEAD),)

    async def open(self, place: str) -> Handle:
        """Start an agent; raise SpawnError."""
        self._opened += 1
        folder = self._context.runtime_folder / f"agent-{self._opened}"
        return _start_agent(folder, agent_file(self._context.cache_folder))

    async def close(self) -> None:
        """Do nothing: the agent took its folder with it."""


class ProcessHandle:
    """A local agent."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, token: str) -> None:
        self.name = _PLACE
        self.token = token
        self._process = process
        self._folder = folder

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect to the agent's socket; raise LinkError."""
        path = str(self._folder / "socket")
        try:
            await asyncio.get_running_loop().create_unix_connection(factory, path)
        except OSError as error:
            raise LinkError(f"reach the agent at {path}: {error.strerror}") from error

    async def wait_gone(self) -> str:
        """Wait for the end of the process; return how it ended."""
        if self._process.poll() is None:
            await self._wait_for_exit()
        code = self._process.wait()
        return f"the agent exited with status {code}{_last_words(self._folder)}"

    async def _wait_for_exit(self) -> None:
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        pidfd = os.pidfd_open(self._process.pid)
        try:
            loop.add_reader(pidfd, gone.set)
            await gone.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)

    async def destroy(self) -> None:
        """Kill the agent; its guardian ends what it leaves behind."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
                os.kill(self._process.pid, signal.SIGCONT)
            try:
                async with asyncio.timeout(5):
                    await self.wait_gone()
            except TimeoutError:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        for name in ("socket", "status", "token", "agent.log"):
            (self._folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()


def make_spawner(context: SpawnerContext) -> ProcessSpawner:
    """Make the spawner for a job."""
    return ProcessSpawner(context)


def _start_agent(folder: Path, archive: Path) -> ProcessHandle:
    """Listen first, then start: the connection waits in the socket until the agent is ready."""
    token = secrets.token_hex(16)
    try:
        folder.mkdir(mode=0o700)
        with os.fdopen(os.open(folder / "token", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(token)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(folder / "socket"))
            (folder / "socket").chmod(0o600)
            listener.listen(16)
            process = _spawn(folder, archive, listener.fileno())
    except OSError as error:
        raise SpawnError(f"start an agent in {folder}: {error.strerror or error}") from error
    return ProcessHandle(process, folder, token)


def _spawn(folder: Path, archive: Path, listening: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-I", "-S", str(archive), "agent", str(folder), str(listening)]
    with (folder / "agent.log").open("wb") as log:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(listening,),
            start_new_session=True,
        )


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / "agent.log").read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f": {lines[-1]}" if lines else ""
