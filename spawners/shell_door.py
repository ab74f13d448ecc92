"""Named pipes between a controller and an agent of sh, in a folder that both see.

All that the agent is told goes through one pipe, ``door``, each piece written at once; what it
says comes back through a pipe of the connection's own. A second one tells the agent, by being
closed, that this end is gone. Not responsible for what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections import deque
from pathlib import Path
from typing import Protocol

from nrunner.errors import LinkError
from nrunner.spawners.shell_words import cut

__all__ = ["Door", "Listener", "Peer"]

_PIECE = 1 << 16


class Listener(Protocol):
    """Who is told what comes from the agent."""

    def heard(self, data: bytes) -> None:
        """Take bytes as they come."""
        ...

    def hung_up(self) -> None:
        """The connection is at its end."""
        ...


class Peer(Protocol):
    """A connection to an agent of sh, however its bytes get there."""

    def send(self, said: bytes) -> None:
        """Send a line, given without its newline."""
        ...

    def close(self) -> None:
        """Hang up; the listener is not told."""
        ...


class Door:
    """One connection."""

    def __init__(self, folder: Path, listener: Listener) -> None:
        """Make its pipes and open them; raise LinkError."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._name = secrets.token_hex(6)
        self._paths = [folder / f"c-{self._name}.{end}" for end in ("out", "live")]
        self._files: list[int] = []
        self._waiting: deque[bytes] = deque()
        try:
            for path in self._paths:
                os.mkfifo(path, 0o600)
            # For writing alone it could not be opened before the agent is there.
            self._door = self._open(folder / "door", os.O_RDWR)
            self._out = self._open(self._paths[0], os.O_RDONLY)
            self._open(self._paths[1], os.O_RDWR)
        except OSError as error:
            self._close_files()
            raise LinkError(f"reach the agent in {folder}: {error.strerror}") from error
        self._loop.add_reader(self._out, self._read)

    def _open(self, path: Path, flags: int) -> int:
        self._files.append(os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC))
        return self._files[-1]

    def send(self, said: bytes) -> None:
        """Send a line, given without its newline."""
        if not self._files:
            return
        is_first = not self._waiting
        self._waiting.extend(cut(self._name, said))
        if is_first:
            self._write()

    def close(self) -> None:
        """Hang up; the listener is not told."""
        if self._files:
            self._loop.remove_reader(self._out)
            self._loop.remove_writer(self._door)
            self._close_files()

    def _close_files(self) -> None:
        files, self._files = self._files, []
        for fd in files:
            os.close(fd)
        for path in self._paths:
            with contextlib.suppress(OSError):
                path.unlink()

    def _write(self) -> None:
        while self._waiting:
            try:
                # As a whole or not at all, since it is short.
                os.write(self._door, self._waiting[0])
            except BlockingIOError:
                self._loop.add_writer(self._door, self._write)
                return
            except OSError:
                self._end()
                return
            self._waiting.popleft()
        self._loop.remove_writer(self._door)

    def _read(self) -> None:
        try:
            data = os.read(self._out, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._listener.heard(data)
        else:
            self._end()

    def _end(self) -> None:
        self.close()
        self._listener.hung_up()
