"""An agent of sh in a folder that both sides see: how it is reached, and what it leaves behind.

For spawners that start one (``sh agent.sh serve FOLDER SLOTS``) and have handles made of it. Not
responsible for starting or killing it, nor for the conversation (``nrunner.spawners.shell_link``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import nrunner.runners
from nrunner.errors import LinkError
from nrunner.runners.spool import Remains
from nrunner.spawners.shell_door import Door
from nrunner.spawners.shell_link import ShellLink
from nrunner.spawners.shell_story import read_spool

__all__ = ["ShellAgent", "agent_script", "device_script"]


def agent_script() -> Path:
    """Return the agent: one file, to be had by ``sh`` where the tests run."""
    return Path(nrunner.runners.__file__).with_name("agent.sh")


def device_script() -> bytes:
    """Return the agent for a device: one file, with what is asked of devices in front of it."""
    return agent_script().with_name("dut.sh").read_bytes() + b"\n" + agent_script().read_bytes()


class ShellAgent:
    """An agent of sh in a folder that it shares with us; for a `Handle` to be made of."""

    def __init__(self, folder: Path, *, shares_files: bool = True) -> None:
        """`shares_files` says whether it sees the job's folder under the same path, too."""
        self._folder = folder
        self._shares_files = shares_files

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Give a protocol a transport whose other end speaks as an agent does; raise LinkError."""
        if not (self._folder / "door").exists():
            raise LinkError(f"reach the agent in {self._folder}: it has left")
        ShellLink(factory(), lambda link: Door(self._folder, link), shares_files=self._shares_files)

    def remains(self) -> Remains | None:
        """Return what an agent that is gone had still to say."""
        return read_spool(self._folder / "spool")

    @contextlib.contextmanager
    def told_to_leave(self) -> Iterator[None]:
        """Have it end everything and leave, as soon as it listens, while we wait for that."""
        try:
            # What is in a pipe is gone as soon as nobody has it open.
            door = os.open(self._folder / "door", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            yield  # it has left
            return
        try:
            with contextlib.suppress(OSError):
                os.write(door, b"@ leave\n")
            yield
        finally:
            os.close(door)
