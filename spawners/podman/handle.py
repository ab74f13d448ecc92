"""The handle on a container: how its agent is reached, watched and ended.

Not responsible for making the container (``opening``), nor for the words about its end
(``ending``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import LinkError, SpawnError
from nrunner.offload import offload
from nrunner.record import dataclass
from nrunner.runners.procfs import boot_id
from nrunner.runners.removal import remove_tree
from nrunner.runners.spool import Remains
from nrunner.spawners.podman.agent import AgentSort
from nrunner.spawners.podman.client import Client
from nrunner.spawners.podman.ending import Ending, how_it_ended
from nrunner.spawners.podman.life import Life
from nrunner.spawners.podman.settings import Limits

__all__ = ["ContainerHandle", "Found", "last_words"]

_END_WITHIN = 5.0
_STATUS_TRIES = 10
_STATUS_PAUSE = 0.05
_NOTED_WITHIN = 0.5
"""Seconds that podman's monitor has to write down that a container has ended."""


@dataclass(frozen=True, slots=True)
class Found:
    """Which container it is."""

    container: str
    """Its full id."""
    folder: Path
    """The agent's, as we see it."""
    image: str
    """What it was made from."""
    agent: AgentSort = AgentSort.PYTHON

    @property
    def address(self) -> Mapping[str, Any]:
        """What it is found again by."""
        folder = str(self.folder)
        known = {"container": self.container, "folder": folder, "image": self.image}
        return {**known, "agent": self.agent.value, "boot_id": boot_id()}

    @classmethod
    def at(cls, address: Mapping[str, Any]) -> Found:
        """Read an address; raise SpawnError for one that is none."""
        try:
            texts = [address[name] for name in ("container", "folder", "image")]
            container, folder, image = (str(text) for text in texts if isinstance(text, str))
            return cls(container, Path(folder), image, AgentSort(address.get("agent", "python")))
        except (KeyError, TypeError, ValueError) as error:
            raise SpawnError(f"find a container by {dict(address)}: {error!r}") from error


class ContainerHandle:
    """A container with an agent in it, or what is left of one."""

    def __init__(
        self,
        name: str,
        client: Client,
        found: Found,
        life: Life | None,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        """`life` is None for what is gone already."""
        self.name = name
        self.container = found.container
        self.token = _read(found.folder / "token")
        self.address: Mapping[str, Any] = found.address
        self._client = client
        self._folder = found.folder
        self._agent = found.agent
        self._life = life
        self._limits = limits
        self._left: Remains | None = None
        self._why: asyncio.Task[str] | None = None
        self._is_ended = False
        self._destroying: asyncio.Task[None] | None = None

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect to the agent's socket; raise LinkError."""
        if self._life is None or self._life.is_over:
            raise LinkError(f"reach the agent in container {self.container[:12]}: it has ended")
        await self._agent.connect(self._folder, factory)

    async def wait_gone(self) -> str:
        """Wait for the end of the container; return how it ended."""
        if self._life is None:
            return f"the container {self.container[:12]} has ended"
        await self._life.wait()
        if self._why is None:
            self._why = asyncio.ensure_future(self._learn())
        return await asyncio.shield(self._why)

    async def remains(self) -> Remains | None:
        """Return what the agent left in the file of its spool, also once that is removed."""
        return self._agent.remains(self._folder) or self._left

    async def destroy(self) -> None:
        """Kill all that is in the container, and remove it."""
        self._is_ended = self._is_ended or self._life is None or not self._life.is_over
        if self._destroying is None:
            self._destroying = asyncio.ensure_future(self._destroy())
        await asyncio.shield(self._destroying)

    async def _destroy(self) -> None:
        life = self._life
        if life is not None and not life.is_over:
            life.kill()
            try:
                async with asyncio.timeout(_END_WITHIN):
                    await life.wait()
            except TimeoutError:
                pass  # what the kernel does not end is podman's to complain about
        await self._wait_noted()  # before, podman would begin to end what has ended
        try:
            await self._client.remove(self.container)
        finally:
            self._left = self._agent.remains(self._folder) or self._left
            if life is not None:
                life.close()
            await offload(remove_tree, str(self._folder))

    async def _learn(self) -> str:
        """Find out how the container ended."""
        assert self._life is not None
        status, trouble = None, ""
        if not self._is_ended and self._life.monitor_was_alive:
            status, trouble = await self._status()
        return how_it_ended(
            Ending(
                status,
                self._life.counters,
                self._limits,
                self._life.monitor_was_alive,
                last_words(self._folder),
                trouble,
                self._is_ended,
            )
        )

    async def _status(self) -> tuple[int | None, str]:
        """Return the exit status of the first process, or None and why it is not known."""
        await self._wait_noted()
        for _ in range(_STATUS_TRIES):
            try:
                found = await self._client.inspect(self.container)
            except SpawnError as error:
                return None, f"could not {error}"
            state = found["State"] if found is not None else {}
            if not state.get("Running", False):
                break
            await asyncio.sleep(_STATUS_PAUSE)  # the monitor may be about to write it
        else:
            return None, "podman did not notice it"
        code = state.get("ExitCode")
        return (code, "") if isinstance(code, int) else (None, "")

    async def _wait_noted(self) -> None:
        """Wait until podman's monitor has written down that the container has ended."""
        if self._life is not None and self._life.monitor is not None:
            await self._life.monitor.wait_gone(_NOTED_WITHIN)


def last_words(folder: Path) -> str:
    """Return the last line that an agent wrote for nobody in particular."""
    lines = _read(folder / "agent.log").splitlines()
    return lines[-1] if lines else ""


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
