"""What is in the cache of files, and removing some of it.

Not responsible for who holds what (``nrunner.runners.content_cache``): an entry that is held stays.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import shutil
import time

from nrunner.record import dataclass
from nrunner.runners.content_cache import ContentCache, failed
from nrunner.runners.content_partial import drop
from nrunner.runners.flock import is_at, is_held, lock
from nrunner.runners.staleness import outdated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Entry", "entries", "remove", "shrink", "tidy"]

_JUST_USED = 60.0
"""Seconds in which whoever fetched an entry has surely got a hold on it."""


@dataclass(frozen=True)
class Entry:
    """One file of the cache, as people look at it."""

    digest: str
    size: int
    used: float
    """When it was last used, by the clock on the wall."""
    names: tuple[str, ...]
    sources: tuple[str, ...] = ()
    """Where it came from, fit to be shown; empty if that is not known any more."""
    in_use: bool = False


def entries(cache: ContentCache) -> list[Entry]:
    """Return all entries, the one that was used least recently first; raise CacheError."""
    sources: dict[str, set[str]] = {}
    for _, row in cache.rows():
        sources.setdefault(row["digest"], set()).add(str(row["source"]))
    found = [_entry(cache, digest, sources) for digest in cache.names("files")]
    return sorted((each for each in found if each is not None), key=lambda each: each.used)


def remove(cache: ContentCache, digest: str) -> bool:
    """Remove an entry; return whether it is gone: one in use stays. Raise CacheError."""
    folder = cache.at("files", digest)
    trash = cache.at("trash", f"{digest}-{os.getpid()}-{time.monotonic_ns()}")
    path = cache.lock_of(digest)
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise failed(folder, error) from error
    try:
        if not lock(held):
            return False
        if is_at(held, path):
            os.makedirs(os.path.dirname(trash), 0o700, exist_ok=True)
            os.rename(folder, trash)
    except OSError as error:
        raise failed(folder, error) from error
    finally:
        os.close(held)
    shutil.rmtree(trash, ignore_errors=True)
    return True


def shrink(cache: ContentCache, most: int) -> list[Entry]:
    """Remove what was used least recently until `most` bytes are left; return what went.

    What is in use stays, and so does what was used just now: somebody is about to hold it.
    """
    now = time.time()
    unwanted = outdated(entries(cache), most, None, now, spare=_JUST_USED)
    return [each for each in unwanted if remove(cache, each.digest)]


def tidy(cache: ContentCache) -> None:
    """Remove what killed processes have left, and what leads nowhere any more."""
    for name in cache.names("trash"):
        shutil.rmtree(cache.at("trash", name), ignore_errors=True)
    for name in {*cache.names("locks"), *cache.names("partial")}:
        _drop_if_free(cache, name)
    for name in cache.names("index"):
        if "." in name and _is_old(cache.at("index", name)):
            drop(cache.at("index", name))
    for path, row in cache.rows():
        if not os.path.isdir(cache.at("files", row["digest"])):
            drop(path)


def _is_old(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime > _JUST_USED
    except OSError:
        return False


def _drop_if_free(cache: ContentCache, name: str) -> None:
    """Remove what is of a key, unless somebody fetches it."""
    path = cache.at("locks", name)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return
    try:
        if lock(fd) and is_at(fd, path):
            drop(cache.at("partial", name))
            drop(path)
    finally:
        os.close(fd)


def _entry(cache: ContentCache, digest: str, sources: dict[str, set[str]]) -> Optional[Entry]:
    files = cache.files(digest)
    try:
        found = [os.stat(path) for path in files]
    except OSError:
        return None
    if not found:
        return None
    return Entry(
        digest,
        found[0].st_size,
        max(each.st_atime for each in found),
        tuple(os.path.basename(path) for path in files),
        tuple(sorted(each for each in sources.get(digest, ()) if each)),
        is_held(cache.lock_of(digest)),
    )
