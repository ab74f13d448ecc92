"""What a spawner keeps for later jobs, and who uses it: a small file for each, in the user's cache.

The file tells people what is kept, its time of change is that of the last use, and its lock is held
by the jobs that use it. Not responsible for what is kept, which is elsewhere, nor for what has to
go when (``nrunner.runners.staleness``).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.errors import CacheError
from nrunner.runners.flock import is_at, is_held, lock
from nrunner.spawners.base import Kept

__all__ = ["Shelf"]

_PATIENCE = 40.0
"""Seconds for which whoever removes something may have it."""
_MOST = 1 << 20


class Shelf:
    """A folder with a file for each thing that is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def hold(self, name: str) -> bool:
        """Use something until `release`, so that nobody removes it; return whether it is noted.

        It need not be there yet. Waits for whoever is removing it just now. Raise CacheError.
        """
        fd = self._held.get(name)
        if fd is None:
            new = self._locked(name)
            fd = self._held.setdefault(name, new)
            if fd != new:
                os.close(new)  # somebody else of this job was quicker
        with contextlib.suppress(OSError):  # it only matters for which one goes first
            os.utime(fd)
        return os.fstat(fd).st_size > 0

    def note(self, name: str, size: int, holds: Sequence[str]) -> None:
        """Note what is kept under a name that we hold; raise CacheError."""
        text = json.dumps({"size": size, "holds": list(holds)}).encode()
        fd = self._held[name]
        try:
            # In its place, since the lock is on this very file.
            os.pwrite(fd, text, 0)
            os.ftruncate(fd, len(text))
        except OSError as error:
            raise _failed("write", self._folder / name, error) from error

    def release(self) -> None:
        """Use nothing any more."""
        held, self._held = self._held, {}
        for name, fd in held.items():
            path = self._folder / name
            with contextlib.suppress(OSError, CacheError):
                if not os.fstat(fd).st_size and lock(fd) and is_at(fd, str(path)):
                    path.unlink()  # nothing came of it
            os.close(fd)

    def entries(self) -> list[Kept]:
        """Return what is kept, what was used least recently first; raise CacheError."""
        found = [_entry(path) for path in self._paths()]
        return sorted((each for each in found if each is not None), key=lambda each: each.used)

    @contextlib.contextmanager
    def taken(self, name: str) -> Iterator[bool]:
        """Have something for oneself, to remove it; yield whether nobody uses it."""
        path = self._folder / name
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            yield False
            return
        try:
            yield lock(fd) and is_at(fd, str(path))
        finally:
            os.close(fd)

    def forget(self, name: str) -> None:
        """Forget what was removed; it has to be `taken`."""
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()

    def _locked(self, name: str) -> int:
        path = self._folder / name
        while True:
            fd = self._opened(path)
            is_ours = lock(fd, _PATIENCE, shared=True)
            if is_ours and is_at(fd, str(path)):
                return fd
            os.close(fd)
            if not is_ours:
                raise CacheError(f"use {path}: for {_PATIENCE:g} s somebody was removing it")

    def _opened(self, path: Path) -> int:
        try:
            self._folder.mkdir(0o700, parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _failed("use", path, error) from error

    def _paths(self) -> list[Path]:
        try:
            return sorted(self._folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _failed("read", self._folder, error) from error


def _entry(path: Path) -> Kept | None:
    """Return what is kept; None if nothing came of it, or it is removed just now."""
    try:
        status = path.stat()
        with path.open(encoding="utf-8", errors="replace") as file:
            row = _read(file.read(_MOST))
    except OSError:
        return None
    if row is None:
        return None
    size, holds = row.get("size"), row.get("holds")
    return Kept(
        path.name,
        size if isinstance(size, int) else 0,
        status.st_mtime,
        tuple(map(str, holds)) if isinstance(holds, list) else (),
        in_use=is_held(str(path)),
    )


def _read(text: str) -> Mapping[str, Any] | None:
    """Return what a file tells, nothing for one that was cut off, None for an empty one."""
    if not text:
        return None
    try:
        row = json.loads(text)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def _failed(what: str, path: Path, error: OSError) -> CacheError:
    return CacheError(f"{what} {path}: {(error.strerror or str(error)).lower()}")
