"""A file of the cache that is being filled, and is nobody's entry until it is whole.

Not responsible for the lock that is on it (``nrunner.runners.content_cache``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from nrunner.errors import CacheError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nrunner.runners.content_cache import Found

__all__ = ["Partial"]


class Partial:
    """One such file; nobody else fills one for the same key."""

    def __init__(self, path: str, fd: int, put: Callable[[str, int, str, str], Found]) -> None:
        """`put` makes an entry of it: by digest, size, name and source."""
        self.size = 0
        self._path = path
        self._fd = fd
        self._put = put
        self._hashes: dict[str, Any] = {}

    def restart(self, algorithm: str = "sha256") -> None:
        """Begin anew with an empty file, and with its hash by this algorithm, too."""
        self.size = 0
        self._hashes = {name: hashlib.new(name) for name in {"sha256", algorithm}}
        try:
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        except OSError as error:
            raise self._failed(error) from error

    def write(self, data: bytes) -> None:
        """Add to the file; raise CacheError."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise self._failed(error) from error
        self.size += len(data)
        for each in self._hashes.values():
            each.update(data)

    def digest(self, algorithm: str = "sha256") -> str:
        """Return the hash of what was written."""
        return str(self._hashes[algorithm].hexdigest())

    def finish(self, name: str, source: str) -> Found:
        """Make an entry of it; `source` is what people are told of where it came from."""
        try:
            os.fchmod(self._fd, 0o444)
            os.fsync(self._fd)
        except OSError as error:
            raise self._failed(error) from error
        return self._put(self.digest(), self.size, name, source)

    def close(self) -> None:
        """Let others at it; what is not finished is gone."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        os.close(self._fd)

    def _failed(self, error: OSError) -> CacheError:
        reason = (error.strerror or str(error)).lower()
        return CacheError(f"write {self._path}: {reason}")
