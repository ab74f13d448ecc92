"""A spawner of pooled places without processes: places that refuse, die, are barred, and return.

Not responsible for what runs there (``nrunner.testing.fake_agent``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from nrunner.errors import NrunnerError
from nrunner.record import replace
from nrunner.spawners.base import Bar, Offer
from nrunner.testing.fake_spawner import FakeHandle, FakeSpawner, Scripts

__all__ = ["FakePool"]


class FakePool(FakeSpawner):
    """Several places, each of which may serve a task as well as another."""

    name = "fake-pool"
    description = "places that are as good as each other, as a script has it"

    def __init__(
        self,
        offers: Sequence[Offer],
        scripts: Scripts | None = None,
        *,
        refusals: Mapping[str, Sequence[NrunnerError]] | None = None,
    ) -> None:
        """`refusals` are what opening fails with, by place, time after time; then it succeeds."""
        super().__init__(scripts)
        self._offers = tuple(replace(each, is_pooled=True) for each in offers)
        self._refusals = {place: deque(errors) for place, errors in (refusals or {}).items()}
        self.bars: dict[str, Bar] = {}
        """Places that are not to be used now."""
        self.delays: dict[str, float] = {}
        """Seconds that opening or adopting takes, by place."""
        self.opened: list[str] = []
        """Where environments were asked for, in order."""
        self.notes: list[tuple[str, str]] = []
        """What was to be remembered, by place: `served`, or why it was lost."""

    async def open(self, place: str, base: str = "", folder: str = "") -> FakeHandle:
        """Open an environment, or refuse, as it was made to."""
        self.opened.append(place)
        await asyncio.sleep(self.delays.get(place, 0.0))
        refusals = self._refusals.get(place)
        if refusals:
            await asyncio.sleep(0)
            raise refusals.popleft()
        return await super().open(place, base, folder)

    async def adopt(self, place: str, address: Mapping[str, Any]) -> FakeHandle:
        """Return an environment, as late as it was made to."""
        await asyncio.sleep(self.delays.get(place, 0.0))
        return await super().adopt(place, address)

    async def bar(self, place: str) -> Bar | None:
        """Return what it was made to."""
        await asyncio.sleep(0)
        return self.bars.get(place)

    async def lost(self, place: str, why: str) -> None:
        """Note it."""
        await asyncio.sleep(0)
        self.notes.append((place, why))

    async def served(self, place: str) -> None:
        """Note it."""
        await asyncio.sleep(0)
        self.notes.append((place, "served"))
