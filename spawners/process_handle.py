"""The handle on a local agent: how it is reached, watched and ended.

Not responsible for starting it (``nrunner.spawners.process``), nor for its process
(``nrunner.spawners.process_agent``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import LinkError
from nrunner.offload import offload
from nrunner.runners.procfs import boot_id, read_process
from nrunner.runners.removal import remove_tree
from nrunner.runners.spool import Remains, read_remains
from nrunner.spawners.process_agent import AgentProcess

__all__ = ["ProcessHandle"]

_LEAVE_WITHIN = 5.0
_AGENT_LEAVES_WITHIN = 0.5
"""Seconds that an agent has to clean up by itself when its guardian is gone."""
_SWEEP_FOR = 3.0


class ProcessHandle:
    """A local agent."""

    def __init__(self, name: str, process: AgentProcess, folder: Path, token: str) -> None:
        self.name = name
        self.token = token
        self._process = process
        self._folder = folder
        self._left: Remains | None = None
        self.address: Mapping[str, Any] = _address(process.pid, folder)

    @property
    def pid(self) -> int:
        """The guardian's process."""
        return self._process.pid

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect to the agent's socket; raise LinkError."""
        path = str(self._folder / "socket")
        if self._process.is_gone():
            raise LinkError(f"reach the agent at {path}: it has ended")
        try:
            await asyncio.get_running_loop().create_unix_connection(factory, path)
        except OSError as error:
            raise LinkError(f"reach the agent at {path}: {error.strerror}") from error

    async def wait_gone(self) -> str:
        """Wait for the end of the process; return how it ended."""
        last_words = _last_words(self._folder) if self._process.is_gone() else ""
        how = await self._process.wait_gone()
        return f"the agent {how}{last_words or _last_words(self._folder)}"

    async def remains(self) -> Remains | None:
        """Return what the agent left in the file of its spool, also once that is removed."""
        return read_remains(str(self._folder / "spool")) or self._left

    async def destroy(self) -> None:
        """Kill the agent; its guardian ends what it leaves behind."""
        if not self._process.is_gone():
            self._process.signal(signal.SIGTERM)
            self._process.signal(signal.SIGCONT)
            try:
                async with asyncio.timeout(_LEAVE_WITHIN):
                    await self._process.wait_gone()
            except TimeoutError:
                # It has not ended and leads its session, so the group is its own.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait_gone()
        self._left = read_remains(str(self._folder / "spool")) or self._left
        if (self._folder / "token").exists():
            # Its guardian was killed, too, and has ended nothing.
            await offload(_remove_remains, self._folder.parent.name)
        remove_tree(str(self._folder))


def _address(pid: int, folder: Path) -> Mapping[str, Any]:
    process = read_process(pid)
    start = 0 if process is None else process.start
    return {"folder": str(folder), "pid": pid, "start": start, "boot_id": boot_id()}


def _remove_remains(job: str) -> None:
    """End what an agent left whose guardian was killed: by its control group, and by marks."""
    from nrunner.runners import killing
    from nrunner.runners.cgroup import remove_stale

    remove_stale(after=_AGENT_LEAVES_WITHIN)
    until = time.monotonic() + _SWEEP_FOR
    while (left := killing.marked(job)) and time.monotonic() < until:
        killing.signal_all(left, signal.SIGKILL)
        time.sleep(0.01)


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / "agent.log").read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f": {lines[-1]}" if lines else ""
