"""Bringing the folder that references are relative to into an environment, once.

Many small files go in one frame, and some frames are on their way at once; large files go piece by
piece. What is there already, since an earlier controller brought it, is not sent again. Not
responsible for which files those are (``nrunner.tree``), nor for what paths are called there
(``nrunner.translation``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

from nrunner.delivery import Delivery, deliver
from nrunner.environment import Environment
from nrunner.errors import InterruptedLinkError
from nrunner.offload import offload
from nrunner.pace import Pace
from nrunner.runnable import Requirement
from nrunner.tree import Tree, TreeFile

__all__ = ["plant"]

_LARGE = 1 << 18
"""Bytes from which a file goes by itself."""
_MOST_NAMES = 1000
"""Files in one frame."""
_AT_ONCE = 4
"""Frames that are on their way at once."""


async def plant(
    environment: Environment, tree: Tree, there: str, pace: Pace, *, is_new: bool
) -> None:
    """Bring a tree to the folder `there`; nothing is looked for if that `is_new`.

    `pace` says how much is sent at once. Raise RequirementError with the reason, or LinkError.
    """
    files = tree.files if is_new else await _missing(environment, tree, there)
    small = [each for each in files if each.size < _LARGE]
    await _send_small(environment, tree, small, there, pace)
    for file in files:
        if file.size >= _LARGE:
            await _send_large(environment, tree, file, there, pace)
    for some in _parts(tree.links, _MOST_NAMES):
        await environment.put_many({"root": there, "links": [list(each) for each in some]})


async def _missing(environment: Environment, tree: Tree, there: str) -> list[TreeFile]:
    """Ask which files are not there as they are here."""
    missing: set[str] = set()
    for some in _parts(tree.files, _MOST_NAMES):
        digests = await offload(lambda some=some: [tree.digest(each) for each in some])  # type: ignore[misc]  # bound now
        manifest = [
            [each.path, each.size, digest] for each, digest in zip(some, digests, strict=True)
        ]
        reply = await environment.put_many({"root": there, "manifest": manifest})
        missing.update(map(str, reply.get("missing", ())))
    return [each for each in tree.files if each.path in missing]


async def _send_small(
    environment: Environment, tree: Tree, files: Sequence[TreeFile], there: str, pace: Pace
) -> None:
    rest = list(reversed(files))
    under_way: set[asyncio.Future[None]] = set()
    try:
        while rest or under_way:
            while rest and len(under_way) < _AT_ONCE:
                some = _take(rest, pace.size)
                send = _send(environment, tree, some, there, pace)
                under_way.add(asyncio.ensure_future(send))
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
    finally:
        for each in under_way:
            each.cancel()


def _take(rest: list[TreeFile], most: int) -> list[TreeFile]:
    """Take so many files from the end of a list that they fit into a piece."""
    some = [rest.pop()]
    size = some[0].size
    while rest and len(some) < _MOST_NAMES and size + rest[-1].size <= most:
        some.append(rest.pop())
        size += some[-1].size
    return some


async def _send(
    environment: Environment, tree: Tree, files: Sequence[TreeFile], there: str, pace: Pace
) -> None:
    contents = await offload(lambda: [tree.read(each) for each in files])
    told = [[each.path, each.mode, len(data)] for each, data in zip(files, contents, strict=True)]
    began = time.monotonic()
    try:
        await environment.put_many({"root": there, "files": told}, b"".join(contents))
    except InterruptedLinkError:
        pace.lost()
        await _send_anew(environment, tree, files, there, pace)
    else:
        pace.took(time.monotonic() - began)


async def _send_anew(
    environment: Environment, tree: Tree, files: Sequence[TreeFile], there: str, pace: Pace
) -> None:
    """Send what did not arrive together, less at a time."""
    rest = list(reversed(files))
    while rest:
        some = _take(rest, pace.size)
        if len(some) == 1 and some[0].size > pace.size:
            await _send_large(environment, tree, some[0], there, pace)
        else:
            await _send(environment, tree, some, there, pace)


async def _send_large(
    environment: Environment, tree: Tree, file: TreeFile, there: str, pace: Pace
) -> None:
    here = f"{tree.base_dir}/{file.path}"
    delivery = Delivery(here, f"{there}/{file.path}", "", Requirement("noop"))
    await deliver(delivery, environment.put, pace)


def _parts(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
