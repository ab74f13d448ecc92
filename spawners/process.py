"""The process spawner: one environment, shared by all tasks, on this machine.

Its agent is a process in a session of its own, reached over a unix socket in a folder that only
this user can enter. Loads little, so that the agent can be started while the controller is still
being loaded. Not responsible for the handle on it (``nrunner.spawners.process_handle``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import SpawnError
from nrunner.record import dataclass
from nrunner.spawners.agentfile import agent_file
from nrunner.spawners.base import Handle, Offer, SpawnerContext

__all__ = ["ProcessSpawner", "StartedAgent", "make_spawner"]

_PLACE = "process"
# What the zipapp would do by itself, without the runpy module that finds its __main__, and without
# looking for garbage in what is loaded.
_BEGINNING = (
    "import gc, sys; gc.disable(); sys.path.insert(0, sys.argv.pop(1)); "
    "from nrunner.runners.entry import main; sys.exit(main())"
)
_AHEAD = 32
"""How many attempts an agent has in stock, so that it need not be told of each end at once."""


class ProcessSpawner:
    """Starts an agent on this machine."""

    name = "process"
    description = "processes on this machine"

    def __init__(self, context: SpawnerContext) -> None:
        self._context = context
        self._opened = 0
        self._begun: StartedAgent | None = None

    def offers(self) -> tuple[Offer, ...]:
        """Offer this machine, with as many slots as the job may use at once."""
        slots = self._context.max_parallel
        return (Offer(_PLACE, slots, queue=slots + _AHEAD),)

    def begin(self) -> None:
        """Start an agent for the first `open`; raise SpawnError."""
        self._begun = self._start()

    def abandon(self) -> None:
        """Kill the agent that nobody asked for."""
        if self._begun is not None:
            self._begun.kill()
            self._begun = None

    async def open(self, place: str, base: str = "", folder: str = "") -> Handle:
        """Start an agent, or hand out the one that was begun; raise SpawnError.

        There are no layers here, and what may be written is not restricted.
        """
        del base, folder
        from nrunner.spawners.process_agent import OwnAgent
        from nrunner.spawners.process_handle import ProcessHandle

        begun, self._begun = self._begun, None
        agent = begun or self._start()
        return ProcessHandle(place, OwnAgent(agent.process), agent.folder, agent.token)

    async def adopt(self, place: str, address: Mapping[str, Any]) -> Handle:
        """Return the handle on an agent that an earlier controller started; raise SpawnError."""
        from nrunner.spawners.process_agent import adopted_agent, read_token
        from nrunner.spawners.process_handle import ProcessHandle

        try:
            folder = Path(address["folder"])
            agent = adopted_agent(address["pid"], address["start"], address["boot_id"])
        except (KeyError, TypeError) as error:
            raise SpawnError(f"find an agent by {dict(address)}: {error!r}") from error
        return ProcessHandle(place, agent, folder, read_token(folder))

    async def close(self) -> None:
        """End an agent that nobody asked for; the others took their folders with them."""
        self.abandon()

    def _start(self) -> StartedAgent:
        folder = self._context.runtime_folder
        words = ("ungrouped",) if self._context.config.get("agent.cgroup") == "off" else ()
        words = (*words, "bound-to", str(os.getpid()))
        while True:
            # What an earlier controller of the job left there is not ours to touch.
            self._opened += 1
            own = folder / f"agent-{self._opened}"
            if not os.path.lexists(own):
                return _start_agent(own, agent_file(self._context.cache_folder, folder), words)


@dataclass(frozen=True, slots=True)
class StartedAgent:
    """An agent that was started; nobody has spoken to it yet."""

    process: subprocess.Popen[bytes]
    folder: Path
    token: str

    def kill(self) -> None:
        """End it by force: it has nothing to leave behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def make_spawner(context: SpawnerContext) -> ProcessSpawner:
    """Make the spawner for a job."""
    return ProcessSpawner(context)


def _start_agent(folder: Path, archive: Path, more: tuple[str, ...]) -> StartedAgent:
    """Listen first, then start: the connection waits in the socket until the agent is ready."""
    token = os.urandom(16).hex()
    try:
        folder.mkdir(mode=0o700)
        with os.fdopen(os.open(folder / "token", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(token)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(folder / "socket"))
            (folder / "socket").chmod(0o600)
            listener.listen(128)
            process = _spawn(folder, archive, listener.fileno(), more)
    except OSError as error:
        raise SpawnError(f"start an agent in {folder}: {error.strerror or error}") from error
    return StartedAgent(process, folder, token)


def _spawn(
    folder: Path, archive: Path, listening: int, more: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-I", "-S", "-c", _BEGINNING, str(archive)]
    words += ["agent", str(folder), str(listening), *more]
    with os.fdopen(os.open(folder / "agent.log", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as log:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(listening,),
            start_new_session=True,
        )
