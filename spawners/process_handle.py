"""The handle on a local agent: how it is reached, watched and ended.

Not responsible for starting it (``nrunner.spawners.process``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from nrunner.errors import LinkError

__all__ = ["ProcessHandle"]


class ProcessHandle:
    """A local agent."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], folder: Path, token: str
    ) -> None:
        self.name = name
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


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / "agent.log").read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f": {lines[-1]}" if lines else ""
