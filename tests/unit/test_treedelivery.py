"""Bringing a tree over a link that breaks under what is too much for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from nrunner.errors import InterruptedLinkError, RequirementError
from nrunner.pace import Pace
from nrunner.tree import TreeLimits, survey
from nrunner.treedelivery import plant


class Frail:
    """An environment whose link breaks under bodies that are larger than it can bear."""

    def __init__(self, bears: int, refuses: str = "", takes: float = 0.0) -> None:
        """A frame takes so many seconds on its way."""
        self.bears = bears
        self.takes = takes
        self.refuses = refuses
        self.files: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        self.broken = self.frames = self.at_once = self.most_at_once = 0

    async def put_many(self, fields: Mapping[str, Any], body: bytes = b"") -> Mapping[str, Any]:
        self.frames += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.takes)
        self.at_once -= 1
        if self.refuses:
            raise RequirementError(self.refuses)
        if len(body) > self.bears:
            self.broken += 1
            raise InterruptedLinkError("ask the agent: the link broke")
        offset = 0
        for path, _mode, length in fields.get("files", ()):
            self.files[path] = body[offset : offset + length]
            offset += length
        self.links.update(fields.get("links", ()))
        return {"done": True}

    async def put(self, fields: Mapping[str, Any], read: Callable[[int], Awaitable[bytes]]) -> bool:
        data = b""
        while len(data) < fields["size"]:
            piece = await read(len(data))
            if len(piece) > self.bears:
                self.broken += 1
                continue
            data += piece
        self.files[fields["path"].removeprefix("/there/")] = data
        return True


def brought(tmp_path, frail: Frail, **sizes: int) -> None:
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(name.encode() * (size // len(name)))
    (tmp_path / "link").symlink_to("a")
    tree = survey(str(tmp_path), "/nowhere", TreeLimits())
    environment: Any = frail
    asyncio.run(plant(environment, tree, "/there", Pace(1 << 16), is_new=True))


@pytest.mark.parametrize("bears", [1 << 20, 40_000, 1 << 14])
def test_all_arrives_in_pieces_that_the_link_bears(tmp_path, bears):
    frail = Frail(bears)
    sizes = {"a": 10, "b": 60_000, "c": 200_000, "d": 1_000_000, "e": 0}
    brought(tmp_path, frail, **sizes, **{f"s{number}": 300 for number in range(400)})
    for name, size in sizes.items():
        assert frail.files[name] == name.encode() * size
    assert len(frail.files) == 405
    assert frail.links == {"link": "a"}
    assert (frail.broken > 0) is (bears < 1 << 20)


def test_many_small_files_are_few_frames_and_some_at_once(tmp_path):
    frail = Frail(1 << 20, takes=0.1)
    brought(tmp_path, frail, **{f"s{number}": 3000 for number in range(300)})
    assert len(frail.files) == 300
    assert frail.frames < 25
    assert 1 < frail.most_at_once <= 4


def test_what_cannot_be_put_there_is_told(tmp_path):
    with pytest.raises(RequirementError, match="no space left"):
        brought(tmp_path, Frail(1 << 20, "could not put a: no space left"), a=10)


def test_what_cannot_be_read_here_is_told(tmp_path):
    (tmp_path / "a").write_text("x")
    tree = survey(str(tmp_path), "/nowhere", TreeLimits())
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    environment: Any = Frail(1 << 20)
    with pytest.raises(RequirementError, match=r"bring .*/a: is a directory"):
        asyncio.run(plant(environment, tree, "/there", Pace(1 << 16), is_new=True))
