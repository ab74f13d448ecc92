"""A cache of files by what is in them, shared by all jobs of a user.

An entry is a folder named by the SHA-256 of its file, which stands in it under the names that it
was asked for by. An index leads there from keys. What is being fetched is a file of its own until
it is whole; its key is locked, so that who wants the same at the same time waits and finds it. Who
uses an entry, or adds to it, holds its lock, which is a file beside the others and goes with them;
an entry that is held is never removed. Not responsible for where files come from
(``nrunner.runners.asset``), nor for what is removed when (``nrunner.runners.content_stock``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time

from nrunner.errors import CacheError
from nrunner.record import dataclass
from nrunner.runners.content_partial import Partial, drop
from nrunner.runners.flock import is_at, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Optional

__all__ = ["ContentCache", "Found", "default_folder"]

_LOCKED_BRIEFLY = 1.0
"""Seconds for which who looks, removes or finishes may hold a lock."""
_CLOCKS_DIFFER = 60.0
_TRIES = 10
_LOCK = ".lock"
"""No file that was fetched has this name."""


@dataclass(frozen=True)
class Found:
    """What a key leads to."""

    digest: str
    path: str
    fetched: float = 0.0
    """When, by the clock on the wall."""

    def is_as_new(self, max_age: Optional[float]) -> bool:
        """Whether it was fetched `max_age` seconds ago or less, if that matters."""
        age = time.time() - self.fetched
        # One from the future says that the clock was turned: nobody knows how old it is.
        return max_age is None or -_CLOCKS_DIFFER <= age <= max_age


def default_folder() -> str:
    """Return where the cache is, unless a setting says otherwise."""
    base = os.environ.get("XDG_CACHE_HOME", "").strip()
    if not base.startswith("/"):
        base = os.path.expanduser("~/.cache")
    return os.path.join(base, "nrunner", "content")


class ContentCache:
    """The cache in one folder, which is made when something is put into it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    # Finding.

    def find(self, key: str, max_age: Optional[float] = None) -> Optional[Found]:
        """Return what a key leads to, if it was fetched `max_age` seconds ago or less."""
        row = _row(self._index_of(key))
        if row is None:
            return None
        path = self._file_of(row["digest"], row["size"])
        found = None if path is None else Found(row["digest"], path, row["fetched"])
        return found if found is not None and found.is_as_new(max_age) else None

    def find_content(self, digest: str) -> Optional[Found]:
        """Return the entry with this SHA-256."""
        path = self._file_of(digest)
        return None if path is None else Found(digest, path)

    def find_name(self, name: str) -> Optional[Found]:
        """Return, of the entries that have this name, the one that was fetched last."""
        found = [
            Found(row["digest"], path, row["fetched"])
            for _, row in self.rows()
            for path in self.files(row["digest"])
            if os.path.basename(path) == name and _has_size(path, row["size"])
        ]
        return max(found, key=lambda each: each.fetched, default=None)

    def named(self, found: Found, name: str) -> str:
        """Return the path of an entry under a name of the caller's choice; raise CacheError."""
        path = self.at("files", found.digest, name)
        held = None if path == found.path else self._locked(found.digest, os.O_RDONLY)
        if held is not None:
            try:
                os.link(found.path, path)
            except FileExistsError:
                pass
            except OSError as error:
                raise failed(path, error) from error
            finally:
                os.close(held)
        return path

    def hold(self, path: str) -> Optional[int]:
        """Return an open file that keeps an entry in the cache; None if it has just gone."""
        held = self._locked(os.path.basename(os.path.dirname(path)), os.O_RDONLY)
        if held is None:
            return None
        if not os.path.exists(path):
            os.close(held)
            return None
        _note_use(path)
        return held

    def lock_of(self, digest: str) -> str:
        """Return the path of the lock on an entry."""
        return self.at("files", digest, _LOCK)

    def _locked(self, digest: str, flags: int) -> Optional[int]:
        """Return the lock on an entry, held together with others; None if it has just gone."""
        path = self.lock_of(digest)
        try:
            fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise failed(path, error) from error
        if lock(fd, _LOCKED_BRIEFLY, shared=True) and is_at(fd, path):
            return fd
        os.close(fd)
        return None

    # Adding.

    def begin(
        self, key: str, patience: float, waiting: Callable[[], None] = lambda: None
    ) -> Partial:
        """Return a file to be filled for a key, once nobody else fills one; raise CacheError.

        Look again whether it is needed: somebody else may have filled it. `waiting` is called
        before we wait for somebody, for `patience` seconds at most.
        """
        self._make()
        path = self.at("locks", _hash(key))
        deadline = time.monotonic() + patience
        has_waited = False
        while True:
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except OSError as error:
                raise failed(path, error) from error
            is_ours = lock(fd, deadline - time.monotonic() if has_waited else 0.0)
            if is_ours and is_at(fd, path):
                return self._partial(key, fd)
            os.close(fd)
            if not is_ours and has_waited:
                raise CacheError(f"wait longer than {patience:g} s for whoever fetches it")
            if not has_waited:
                has_waited = True
                waiting()

    def _partial(self, key: str, held: int) -> Partial:
        """Return a file to be filled for a key whose lock we hold."""
        path = self.at("partial", _hash(key))

        def release() -> None:
            drop(self.at("locks", _hash(key)))
            os.close(held)

        try:
            return Partial(path, lambda *made: self._put(key, path, *made), release)
        except OSError as error:
            release()
            raise failed(path, error) from error

    def _put(self, key: str, partial: str, digest: str, size: int, name: str, source: str) -> Found:
        """Make an entry of a file that is whole."""
        path = self.at("files", digest, name)
        for _ in range(_TRIES):
            try:
                os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            except FileExistsError:
                pass  # made and removed by somebody else between two looks
            except OSError as error:
                raise failed(path, error) from error
            held = self._locked(digest, os.O_RDWR | os.O_CREAT)
            if held is None:
                continue  # somebody removed the entry just now
            try:
                self._link(self._file_of(digest, size) or partial, path, size)
                found = Found(digest, path, time.time())
                row = {"digest": digest, "size": size, "fetched": found.fetched, "source": source}
                self._write(self._index_of(key), row)
                return found
            except OSError as error:
                raise failed(path, error) from error
            finally:
                os.close(held)
        raise CacheError(f"put a file into {path}: it is removed again and again")

    def _link(self, file: str, path: str, size: int) -> None:
        """Have a file under another name, too; what is there in its place may be cut off."""
        try:
            os.link(file, path)
        except FileExistsError:
            if os.path.getsize(path) != size:
                os.unlink(path)
                os.link(file, path)

    # Files and folders.

    def at(self, *names: str) -> str:
        """Return a path within the cache."""
        return os.path.join(self._folder, *names)

    def names(self, folder: str) -> list[str]:
        """Return what is in a folder of the cache; raise CacheError."""
        try:
            return sorted(os.listdir(self.at(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise failed(self.at(folder), error) from error

    def files(self, digest: str) -> list[str]:
        """Return the paths of an entry: one file, under each of its names."""
        names = self.names(f"files/{digest}")
        return [self.at("files", digest, name) for name in names if name != _LOCK]

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the path and the content of each row of the index."""
        for name in self.names("index"):
            row = _row(self.at("index", name))
            if row is not None:
                yield self.at("index", name), row

    def _index_of(self, key: str) -> str:
        return self.at("index", _hash(key))

    def _file_of(self, digest: str, size: Optional[int] = None) -> Optional[str]:
        return next((path for path in self.files(digest) if _has_size(path, size)), None)

    def _make(self) -> None:
        """Make the folders; raise CacheError if others could put something into them."""
        try:
            for name in ("files", "index", "locks", "partial"):
                os.makedirs(self.at(name), 0o700, exist_ok=True)
            found = os.stat(self._folder)
        except OSError as error:
            raise failed(self._folder, error) from error
        if found.st_uid not in (os.geteuid(), 0):
            raise CacheError(f"use the cache {self._folder}: it belongs to somebody else")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise CacheError(f"use the cache {self._folder}: others may write there")

    def _write(self, path: str, row: dict[str, Any]) -> None:
        new = f"{path}.{os.getpid()}"
        try:
            with open(new, "w", encoding="utf-8") as file:
                json.dump(row, file)
            os.replace(new, path)
        except OSError as error:
            drop(new)
            raise failed(path, error) from error


def _has_size(path: str, size: Optional[int]) -> bool:
    """Whether a file is there and has this size, or any if it is None."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and size in (None, found.st_size)


def failed(path: str, error: OSError) -> CacheError:
    """Return the error that says what went wrong with a file of the cache."""
    return CacheError(f"use the cache at {path}: {(error.strerror or str(error)).lower()}")


def _row(path: str) -> Optional[dict[str, Any]]:
    """Return a row of the index; None if there is none, or none that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            row = json.loads(file.read(1 << 16))
        digest, size, fetched = str(row["digest"]), int(row["size"]), float(row["fetched"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not digest.isalnum():
        return None
    return {"source": row.get("source", ""), "digest": digest, "size": size, "fetched": fetched}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _note_use(path: str) -> None:
    """Set the time of the last use by hand, since many file systems do not."""
    with contextlib.suppress(OSError):  # it only matters for which one goes first
        os.utime(path, ns=(time.time_ns(), os.stat(path).st_mtime_ns))
