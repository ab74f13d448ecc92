"""The process of a local agent: one we started, or one that an earlier controller did.

Processes are watched and signalled through a pidfd, and only if boot, pid and start time say that
it is the one meant. Not responsible for the agent's socket (``nrunner.spawners.process_handle``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from nrunner.runners.procfs import boot_id, read_process

__all__ = ["AgentProcess", "OwnAgent", "StrangeAgent", "adopted_agent", "read_token"]


class AgentProcess(Protocol):
    """A process that leads a session of its own."""

    pid: int

    def is_gone(self) -> bool:
        """Whether it has ended."""
        ...

    async def wait_gone(self) -> str:
        """Wait for its end; return how it ended, in words."""
        ...

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        ...


class OwnAgent:
    """A child of ours."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process

    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    async def wait_gone(self) -> str:
        """Wait for its end; return its exit status."""
        if not self.is_gone():
            pidfd = os.pidfd_open(self.pid)
            try:
                await _wait_readable(pidfd)
            finally:
                os.close(pidfd)
        return f"exited with status {self._process.wait()}"

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if not self.is_gone():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class StrangeAgent:
    """A process that somebody else started, held by its pidfd; gone where there is none."""

    def __init__(self, pid: int, pidfd: int | None) -> None:
        self.pid = pid
        self._pidfd = pidfd

    def is_gone(self) -> bool:
        """Whether it has ended."""
        if self._pidfd is None:
            return True
        # A zombie has ended, too, though it may still be signalled.
        process = read_process(self.pid)
        if process is None or not process.is_alive:
            os.close(self._pidfd)
            self._pidfd = None
        return self._pidfd is None

    async def wait_gone(self) -> str:
        """Wait for its end; nobody but its parent learns its exit status."""
        if self._pidfd is not None and not self.is_gone():
            # The loop knows one reader of each descriptor, and several may wait.
            pidfd = os.dup(self._pidfd)
            try:
                await _wait_readable(pidfd)
            finally:
                os.close(pidfd)
            self.is_gone()
        return "ended"

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)


def adopted_agent(pid: int, start: int, boot: str) -> StrangeAgent:
    """Return the process that had this pid and start time (ticks after boot) in that boot."""
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, OverflowError):
        return StrangeAgent(pid, None)
    # The other way round the pid might become a stranger's in between.
    process = read_process(pid)
    if process is None or process.start != start or boot != boot_id() or not process.is_alive:
        os.close(pidfd)
        return StrangeAgent(pid, None)
    return StrangeAgent(pid, pidfd)


def read_token(folder: Path) -> str:
    """Return the secret that the agent of a folder asks for, empty if it has left."""
    try:
        return (folder / "token").read_text(encoding="ascii").strip()
    except OSError:
        return ""


async def _wait_readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
