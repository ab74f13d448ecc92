"""Layers: what was prepared in a container, kept as an image for whoever needs the same again.

Such an image is found by its label: a hash of the id of what it began from, and of all requirements
that hold in it. Whether it is there is podman's word alone; who uses it, and when that was last
done, is noted on a shelf in the user's cache. Not responsible for other images (``images``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nrunner.errors import CacheError, SpawnError
from nrunner.offload import offload
from nrunner.runnable import Requirement
from nrunner.runners.staleness import outdated
from nrunner.spawners.base import Kept
from nrunner.spawners.podman.client import Client, escaped
from nrunner.spawners.podman.container import MARKS
from nrunner.spawners.podman.settings import Room
from nrunner.spawners.shelf import Shelf

__all__ = ["LAYER_LABEL", "Layers", "layer_key"]

LAYER_LABEL = "nrunner.layer"
_NAME = "localhost/nrunner-layer"
_COMMIT_WITHIN = 600.0
_REFUSED = (404, 409)
"""There is no such image; it is in use, or has a name that somebody else has given to it."""


class Layers:
    """The layers in the storage of a podman service."""

    def __init__(self, client: Client, folder: Path) -> None:
        """`folder` is where it is noted who uses them."""
        self._client = client
        self._shelf = Shelf(folder)

    async def find(self, base: str, requirements: Sequence[Requirement]) -> str:
        """Return the image in which these hold already, on top of `base`; empty if there is none.

        Nobody removes it, or what `keep` makes of it, until `release`. Raise SpawnError.
        """
        key = layer_key(base, requirements)
        is_noted = await self._try(self._shelf.hold, key)
        found = await self._images(key)
        if not found:
            return ""
        if is_noted is False:
            await self._note(key, found[-1], base, requirements)
        return found[-1]

    async def keep(self, container: str, base: str, requirements: Sequence[Requirement]) -> str:
        """Make an image of what a container holds; return its id. Raise SpawnError."""
        key = layer_key(base, requirements)
        params = {
            "container": container,
            "repo": _NAME,
            "tag": key[:32],
            "pause": "false",
            # The marks of our containers are not handed on to what others make from this image.
            "changes": [
                f"LABEL {LAYER_LABEL}={key}",
                f"LABEL {LAYER_LABEL}.base={base}",
                *(f"LABEL {mark}=" for mark in MARKS),
            ],
        }
        answer = await self._client.ask(
            "keep what was prepared", "POST", "/commit", params=params, within=_COMMIT_WITHIN
        )
        image = _plain(answer.data["Id"])
        await self._note(key, image, base, requirements)
        return image

    def release(self) -> None:
        """Use none of them any more."""
        self._shelf.release()

    def kept(self) -> list[Kept]:
        """Return those that are noted, without asking podman; raise CacheError."""
        return self._shelf.entries()

    async def discard(self, key: str) -> bool:
        """Remove a layer; return whether it is gone: one in use stays. Raise SpawnError."""
        with self._shelf.taken(key) as is_free:
            if not is_free:
                return False
            what = f"remove layer {key[:12]}"
            for image in await self._images(key):
                path = f"/images/{escaped(image)}"
                answer = await self._client.ask(what, "DELETE", path, accept=_REFUSED)
                if answer.status == 409:
                    return False
            self._shelf.forget(key)
            return True

    async def trim(self, room: Room) -> None:
        """Remove what was used least recently, until what is left has room; raise SpawnError."""
        found = await self._try(self.kept) or []
        for each in outdated(found, room.size, room.age, time.time()):
            await self.discard(each.name)

    async def _images(self, key: str) -> list[str]:
        """Return the images of a layer, the newest one last: two jobs may have made it at once."""
        params = {"filters": json.dumps({"label": [f"{LAYER_LABEL}={key}"]})}
        answer = await self._client.ask(
            "look for prepared images", "GET", "/images/json", params=params
        )
        found = sorted(answer.data or (), key=lambda each: int(each.get("Created", 0)))
        return [_plain(each["Id"]) for each in found]

    async def _note(
        self, key: str, image: str, base: str, requirements: Sequence[Requirement]
    ) -> None:
        size = 0
        with contextlib.suppress(SpawnError):  # it is there, whatever its size
            size = max(0, await self._size_of(image) - await self._size_of(base))
        titles = [each.title for each in requirements]
        await self._try(self._shelf.hold, key)
        await self._try(self._shelf.note, key, size, titles)

    async def _size_of(self, image: str) -> int:
        path = f"/images/{escaped(image)}/json"
        answer = await self._client.ask(f"learn about image {image[:12]}", "GET", path)
        return int(answer.data.get("Size", 0))

    async def _try(self, work: Callable[..., Any], *args: Any) -> Any:
        """Note something, or look at what is noted; without notes layers are just not removed."""
        try:
            return await offload(work, *args)
        except (CacheError, KeyError):
            return None


def layer_key(base: str, requirements: Sequence[Requirement]) -> str:
    """Return what a layer is found again by; the order of requirements does not matter."""
    keys = sorted({each.key for each in requirements})
    return hashlib.sha256(json.dumps([_plain(base), keys]).encode()).hexdigest()


def _plain(image: str) -> str:
    return image.removeprefix("sha256:")
