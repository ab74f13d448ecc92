"""Fetching what a test wrote from where its agent of sh is, through the agent's own stream.

Bytes come as numbers in base 16, which any stream of lines can carry: the agent goes on to talk
between two pieces. Not responsible for files that both sides see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nrunner.runners.folder import make_folder

__all__ = ["Fetcher"]

_PIECE = 1 << 15
_MOST = 64 << 20
"""Bytes of one file that are fetched; who prints more should be where files are shared."""
_NAMES = {"o": ("out", "stdout"), "e": ("err", "stderr")}


class _Ask(Protocol):
    def __call__(self, word: str, then: Callable[[int], None], *words: str | int) -> None: ...


class Fetcher:
    """Fetches one file at a time."""

    def __init__(self, send: Callable[[bytes], None], ask: _Ask) -> None:
        self._send = send
        self._ask = ask
        self._piece = bytearray()

    def drop(self, key: tuple[int, int]) -> None:
        """Have the agent remove what an attempt wrote: it is here."""
        self._send(b"drop %d.%d" % key)

    def take(self, said: bytes) -> None:
        """Take a line of numbers."""
        self._piece += bytes.fromhex(said.decode("ascii"))

    async def fetch(self, key: tuple[int, int], kept: str, log_dir: str) -> str:
        """Fetch what an attempt wrote to the task's folder; return what went wrong, or nothing."""
        trouble = []
        for letter, (ending, name) in _NAMES.items():
            if letter in kept:
                try:
                    trouble.append(await self._fetch_file(key, ending, Path(log_dir, name)))
                except OSError as error:
                    trouble.append(f"its results cannot be kept: {error}")
        return "; ".join(filter(None, trouble))

    async def _fetch_file(self, key: tuple[int, int], ending: str, target: Path) -> str:
        make_folder(str(target.parent))
        # On the loop: pieces are small, and come one at a time.
        with target.open("wb") as file:
            for offset in range(0, _MOST, _PIECE):
                status = await self._ask_for(key, ending, offset)
                piece, self._piece = self._piece, bytearray()
                file.write(piece)
                if status != 0 and offset == 0:
                    return f"its {target.name} could not be fetched"
                if len(piece) < _PIECE:
                    return ""
        return f"its {target.name} was cut at {_MOST >> 20} MiB"

    async def _ask_for(self, key: tuple[int, int], ending: str, offset: int) -> int:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def then(status: int) -> None:
            if not answer.done():
                answer.set_result(status)

        self._ask("get", then, f"{key[0]}.{key[1]}.{ending}", offset, _PIECE)
        return await answer
