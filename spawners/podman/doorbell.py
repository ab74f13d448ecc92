"""The pipe by which an agent says that it listens: it is opened, and closed again.

Not responsible for what is said over the agent's socket then.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

__all__ = ["Doorbell"]

_NAME = "ready"


class Doorbell:
    """Our end of the pipe; has to be there before the agent's."""

    def __init__(self, folder: Path) -> None:
        """Make the pipe."""
        path = folder / _NAME
        os.mkfifo(path, 0o600)
        self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def wait(self) -> None:
        """Wait until it rings, or has rung."""
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        loop.add_reader(self._pipe, rung.set)
        try:
            await rung.wait()
        finally:
            loop.remove_reader(self._pipe)

    def close(self) -> None:
        """Let go of it."""
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)
