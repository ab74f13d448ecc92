"""What attempts that run where none of our files are seen have printed so far, for who asks for it.

Nothing is fetched before somebody asks; from then on it is followed as it comes, into a file here,
until the attempt is over, or nobody has asked for a while. Not responsible for what is brought
home afterwards (``nrunner.harvest``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from nrunner.environment import Environment, Key
from nrunner.errors import NrunnerError
from nrunner.offload import offload
from nrunner.runners.removal import remove_tree

__all__ = ["LiveOutput"]

_ASKED_WITHIN = 60.0
"""Seconds after which nobody seems to want more."""
_MOST = 64 << 20
"""Bytes of one stream that are followed: all of it comes home at the end."""
_ADD = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class LiveOutput:
    """That of one environment."""

    def __init__(self, folder: str) -> None:
        """`folder` is ours alone."""
        self._folder = folder
        self._asked: dict[tuple[Key, str], float] = {}
        """When somebody asked last for a stream that is followed."""
        self._positions: dict[tuple[Key, str], int] = {}
        """How much of it is here."""
        self._work: dict[tuple[Key, str], asyncio.Task[None]] = {}

    def folder(self, key: Key) -> str:
        """Return where files of an attempt are, named by their streams, once there are any."""
        return f"{self._folder}/{key[0]}-{key[1]}"

    def follow_nowait(self, environment: Environment, key: Key, stream: str) -> None:
        """Have a stream of an attempt that runs in its file, as far as it is written."""
        loop = asyncio.get_running_loop()
        name = key, stream
        self._asked[name] = loop.time()
        if name not in self._work:
            work = self._follow(environment, key, stream)
            task = self._work[name] = loop.create_task(work, name=f"follow {stream} of {key}")
            task.add_done_callback(lambda _task: self._work.pop(name, None))

    def forget(self, key: Key) -> None:
        """An attempt is over, and its files are where they belong."""
        names = [each for each in self._asked if each[0] == key]
        if not names:
            return
        for name in names:
            del self._asked[name]
            self._positions.pop(name, None)
            if name in self._work:
                self._work[name].cancel()
            with contextlib.suppress(OSError):
                Path(self.folder(key), name[1]).unlink()
        with contextlib.suppress(OSError):
            Path(self.folder(key)).rmdir()

    def close(self) -> None:
        """Follow nothing any more."""
        for task in [*self._work.values()]:
            task.cancel()
        if self._asked:
            remove_tree(self._folder)

    async def _follow(self, environment: Environment, key: Key, stream: str) -> None:
        path, name = f"{self.folder(key)}/{stream}", (key, stream)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NrunnerError, OSError):
            while loop.time() < self._asked[name] + _ASKED_WITHIN:
                position = self._positions.get(name, 0)
                fields = {"task": key[0], "attempt": key[1], "stream": stream, "from": position}
                answer = await environment.tail(fields)
                data = answer.get("body")
                if not isinstance(data, bytes) or position + len(data) > _MOST:
                    return
                await offload(_add, path, position, data)
                self._positions[name] = position + len(data)


def _add(path: str, position: int, data: bytes) -> None:
    """Add to a file; what an earlier controller had in it is of no use."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, _ADD | (0 if position else os.O_TRUNC), 0o600)
    try:
        os.pwrite(fd, data, position)
    finally:
        os.close(fd)
