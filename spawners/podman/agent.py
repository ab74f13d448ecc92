"""Which agent a container gets: the usual one, or that of sh where an image has no Python.

How each is started inside, and how it is reached from outside. Not responsible for the folder that
both sides see (``opening``), nor for the container.
"""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import Callable
from pathlib import Path

from nrunner.errors import LinkError
from nrunner.runners.spool import Remains, read_remains
from nrunner.spawners.shell_agent import ShellAgent

__all__ = ["AGENT_FOLDER", "NO_PYTHON", "AgentSort"]

AGENT_FOLDER = "/run/nrunner"
"""Where a container sees the folder of its agent."""
_ARCHIVE = "/run/nrunner.pyz"
_SCRIPT = "/run/nrunner.sh"
NO_PYTHON = "the agent needs Python 3.9 or newer"
"""What the last words begin with where the Python that is there is none."""

# The agent's output goes to a file, since a log of podman's costs more and ends with the container.
# Who waits for the agent hears that it listens when the pipe is closed.
_BEGINNING = f"""
import gc, os, socket, sys
gc.disable()
log = os.open("{AGENT_FOLDER}/agent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.dup2(log, 1)
os.dup2(log, 2)
if sys.version_info < (3, 9):
    sys.exit("{NO_PYTHON}, this image has %d.%d" % sys.version_info[:2])
sys.path.insert(0, "{_ARCHIVE}")
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("{AGENT_FOLDER}/socket")
listener.listen(128)
from nrunner.runners.entry import main
os.close(os.open("{AGENT_FOLDER}/ready", os.O_WRONLY | os.O_NONBLOCK))
sys.exit(main(["agent", "{AGENT_FOLDER}", str(listener.fileno()), "ungrouped"]))
"""
_SH = f'exec sh {_SCRIPT} serve {AGENT_FOLDER} "$1" >{AGENT_FOLDER}/agent.log 2>&1'


class AgentSort(enum.Enum):
    """The sorts of agents there are; the value is its name in addresses."""

    PYTHON = "python"
    SHELL = "sh"

    @property
    def inside(self) -> str:
        """Where a container sees the file that the agent is."""
        return _ARCHIVE if self is AgentSort.PYTHON else _SCRIPT

    def command(self, slots: int) -> list[str]:
        """Return how it is started inside."""
        if self is AgentSort.PYTHON:
            return ["python3", "-I", "-S", "-c", _BEGINNING]
        return ["sh", "-c", _SH, "nrunner", str(slots)]

    def prepare(self, folder: Path) -> None:
        """Make in its folder what it cannot make itself; raise OSError."""
        if self is AgentSort.SHELL:
            os.mkfifo(folder / "door", 0o600)

    async def connect(self, folder: Path, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect a protocol to the agent of a folder; raise LinkError."""
        if self is AgentSort.SHELL:
            await ShellAgent(folder).connect(factory)
            return
        path = str(folder / "socket")
        try:
            await asyncio.get_running_loop().create_unix_connection(factory, path)
        except OSError as error:
            raise LinkError(f"reach the agent at {path}: {error.strerror}") from error

    def remains(self, folder: Path) -> Remains | None:
        """Return what an agent that is gone had still to say, None if nothing tells."""
        if self is AgentSort.SHELL:
            return ShellAgent(folder).remains()
        return read_remains(str(folder / "spool"))
