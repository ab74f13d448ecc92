"""All that is kept for later jobs, whoever keeps it: looked at and removed in one way.

Not responsible for what people are shown of it (``nrunner.cli.cache``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from nrunner.cli.idle_spawner import every_idle_spawner
from nrunner.record import dataclass
from nrunner.runners.content_cache import ContentCache
from nrunner.runners.content_stock import Entry, entries, remove, tidy
from nrunner.spawners.base import Keeping, Kept, Spawner

__all__ = ["KeptFile", "KeptLayer", "Stock"]


@dataclass(frozen=True)
class KeptFile:
    """A file that was fetched."""

    entry: Entry

    @property
    def name(self) -> str:
        """Its hash."""
        return self.entry.digest

    @property
    def size(self) -> int:
        """How large it is."""
        return self.entry.size

    @property
    def used(self) -> float:
        """When it was last used."""
        return self.entry.used

    @property
    def in_use(self) -> bool:
        """Whether a job uses it."""
        return self.entry.in_use

    @property
    def about(self) -> tuple[str, str]:
        """What people are told beside: its names, and where it came from."""
        return ",".join(self.entry.names), " ".join(self.entry.sources)

    def to_json(self) -> dict[str, Any]:
        """Return it as programs are told."""
        entry = self.entry
        known = {"sha256": entry.digest, "size": entry.size, "used": entry.used}
        names, sources = list(entry.names), list(entry.sources)
        return {**known, "in_use": entry.in_use, "names": names, "sources": sources}


@dataclass(frozen=True)
class KeptLayer:
    """A layer that a spawner keeps."""

    spawner: str
    kept: Kept

    @property
    def name(self) -> str:
        """What its spawner calls it."""
        return self.kept.name

    @property
    def size(self) -> int:
        """How large it is."""
        return self.kept.size

    @property
    def used(self) -> float:
        """When it was last used."""
        return self.kept.used

    @property
    def in_use(self) -> bool:
        """Whether a job uses it."""
        return self.kept.in_use

    @property
    def about(self) -> tuple[str, str]:
        """What people are told beside: whose it is, and what holds in it."""
        return self.spawner, ", ".join(self.kept.holds)

    def to_json(self) -> dict[str, Any]:
        """Return it as programs are told."""
        kept = self.kept
        known = {"spawner": self.spawner, "name": kept.name, "size": kept.size}
        return {**known, "used": kept.used, "in_use": kept.in_use, "holds": list(kept.holds)}


class Stock:
    """The cache of files and the layers of all spawners."""

    def __init__(self, cache: ContentCache, spawners: Sequence[Spawner]) -> None:
        self._cache = cache
        self._keepers = {each.name: each for each in spawners if isinstance(each, Keeping)}

    @classmethod
    @contextlib.contextmanager
    def opened(cls, cache: ContentCache) -> Iterator[Stock]:
        """Have it for a while."""
        with every_idle_spawner() as spawners:
            yield cls(cache, spawners)

    @property
    def folder(self) -> str:
        """Where the files are."""
        return self._cache.at()

    def files(self) -> list[KeptFile]:
        """Return the files, the one that was used least recently first; raise CacheError."""
        return [KeptFile(each) for each in entries(self._cache)]

    def layers(self) -> list[KeptLayer]:
        """Return the layers, in the same order; raise CacheError."""
        found = [KeptLayer(name, each) for name in self._keepers for each in self._kept(name)]
        return sorted(found, key=lambda each: each.used)

    def all(self) -> list[KeptFile | KeptLayer]:
        """Return both, in the same order; raise CacheError."""
        return sorted((*self.files(), *self.layers()), key=_used)

    def remove(self, unwanted: Sequence[KeptFile | KeptLayer]) -> list[KeptFile | KeptLayer]:
        """Remove what is not in use; return what is gone. Raise CacheError or SpawnError."""
        gone: list[KeptFile | KeptLayer] = [
            each
            for each in unwanted
            if isinstance(each, KeptFile) and remove(self._cache, each.name)
        ]
        tidy(self._cache)
        layers = [each for each in unwanted if isinstance(each, KeptLayer)]
        return [*gone, *asyncio.run(self._discard(layers))] if layers else gone

    def _kept(self, name: str) -> list[Kept]:
        return self._keepers[name].kept()

    async def _discard(self, layers: Sequence[KeptLayer]) -> list[KeptLayer]:
        keepers = {each.spawner: self._keepers[each.spawner] for each in layers}
        try:
            return [each for each in layers if await keepers[each.spawner].discard(each.name)]
        finally:
            for keeper in keepers.values():
                await keeper.close()


def _used(each: KeptFile | KeptLayer) -> float:
    return each.used
