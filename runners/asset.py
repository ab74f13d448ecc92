"""asset: the requirement that a file, which is fetched from somewhere, is in the cache.

The arguments are those that Avocado knows: ``name``, ``locations`` (URLs or paths, tried in order),
``asset_hash`` with ``algorithm``, and ``expire``; ``sha256`` is short for hash and algorithm. Tests
find the file by ``NRUNNER_ASSET_NAME``. Not responsible for keeping the cache small.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping

from nrunner.errors import CacheError, RequirementError
from nrunner.runnable import Requirement
from nrunner.runners.asset_wanted import Wanted
from nrunner.runners.base import RequirementRunner
from nrunner.runners.content_cache import ContentCache, default_folder
from nrunner.runners.fetch import FetchError, fetch, is_remote, public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from nrunner.runners.content_partial import Partial

__all__ = ["Asset"]

_PATIENCE = 3600.0
"""Seconds for one location, or for another process that fetches the same.

The limit of a requirement is usually shorter, and ends it before.
"""
_EVERY = 5.0
"""Seconds between two words on how far it is."""


class Asset(RequirementRunner):
    """Fetches files into the cache, and hands them to tests."""

    kind = "asset"
    description = "a file fetched from a URL or a path, by its hash, and kept in a cache"
    configuration_used = ("cache.dir", "cache.size", "cache.offline")
    instant = False

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        """Files that keep entries in the cache for as long as this process lives."""

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if it is in the cache, else the reason why not."""
        wanted = Wanted.of(requirement, base_dir)
        try:
            found = wanted.find(_cache(self.config))
        except CacheError as error:
            return _told(error)
        return None if found is not None else "it is not in the cache"

    def fulfil(self, requirement: Requirement, base_dir: str) -> None:
        """Fetch it into the cache; raise RequirementError that says why each location failed."""
        _fulfil(requirement, base_dir, self.config)

    def variables(self, requirement: Requirement, base_dir: str) -> Mapping[str, str]:
        """Return the variable that names the file, which stays in the cache from now on."""
        wanted = Wanted.of(requirement, base_dir)
        cache = _cache(self.config)
        try:
            found = wanted.find(cache, at_any_age=True)
            path = None if found is None else cache.named(found, wanted.name)
            if path is not None and path not in self._held:
                held = cache.hold(path)
                if held is not None:
                    self._held[path] = held
        except CacheError as error:
            raise RequirementError(_told(error)) from error
        if path is None or path not in self._held:
            raise RequirementError(f"asset {wanted.name!r} was removed from the cache meanwhile")
        return {wanted.variable: path}


def _cache(config: Mapping[str, Any]) -> ContentCache:
    return ContentCache(str(config.get("cache.dir") or default_folder()))


def _fulfil(requirement: Requirement, base_dir: str, config: Mapping[str, Any]) -> None:
    wanted = Wanted.of(requirement, base_dir)
    cache = _cache(config)
    try:
        if wanted.find(cache) is None:
            _fetch_once(wanted, cache, base_dir, is_offline=config.get("cache.offline") is True)
            _make_room(cache, config.get("cache.size"))
    except CacheError as error:
        raise RequirementError(_told(error)) from error


def _fetch_once(wanted: Wanted, cache: ContentCache, base_dir: str, *, is_offline: bool) -> None:
    """Fetch it unless somebody else does meanwhile."""
    partial = cache.begin(wanted.key, _PATIENCE, lambda: _say("another process fetches it"))
    try:
        if wanted.find(cache) is None:
            _fetch(wanted, partial, base_dir, is_offline)
    finally:
        partial.close()


def _fetch(wanted: Wanted, partial: Partial, base_dir: str, is_offline: bool) -> None:
    troubles = []
    if wanted.brought and _take_brought(wanted, partial, base_dir):
        return
    for location in wanted.locations:
        shown = public(location)
        if is_offline and is_remote(location):
            troubles.append(f"{shown}: offline (cache.offline)")
            continue
        _say(f"fetching {shown}")
        partial.restart(wanted.algorithm)
        try:
            deadline = time.monotonic() + _PATIENCE
            fetch(location, base_dir, _Progress(partial).take, deadline=deadline)
            wanted.verify(partial)
        except FetchError as error:
            troubles.append(f"{shown}: {error}")
            _say(troubles[-1])
        else:
            _say(f"fetched {partial.size} bytes, sha256 {partial.digest()}")
            partial.finish(wanted.name, shown)
            return
    where = "; ".join(troubles) or "no location is known"
    raise RequirementError(f"it is not in the cache, and could not be fetched: {where}")


def _take_brought(wanted: Wanted, partial: Partial, base_dir: str) -> bool:
    """Take the file that a controller has put here; return whether it is the right one."""
    partial.restart()
    try:
        fetch(wanted.brought, base_dir, partial.write)
    except FetchError as error:
        _say(f"{wanted.brought}: {error}")
        return False
    if partial.digest() != wanted.brought_digest:
        _say(f"{wanted.brought}: its sha256 is {partial.digest()}, not {wanted.brought_digest}")
        return False
    source = public(wanted.locations[0]) if wanted.locations else ""
    partial.finish(wanted.name, source)
    with contextlib.suppress(OSError):
        os.unlink(wanted.brought)
    return True


def _make_room(cache: ContentCache, size: Any) -> None:
    if isinstance(size, int) and size > 0:
        from nrunner.runners.content_stock import shrink

        for entry in shrink(cache, size):
            _say(f"removed {entry.names[0]} from the cache, to keep it below {size} bytes")


class _Progress:
    """Says now and then how much has come."""

    def __init__(self, partial: Partial) -> None:
        self._partial = partial
        self._next = time.monotonic() + _EVERY

    def take(self, data: bytes) -> None:
        self._partial.write(data)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY
            _say(f"{self._partial.size} bytes so far")


def _say(text: str) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # nobody listens


def _told(error: CacheError) -> str:
    return f"could not {error}"
