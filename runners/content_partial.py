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

__all__ = ["Partial", "drop"]


class Partial:
    """One such file; nobody else fills one for the same key."""

    def __init__(
        self,
        path: str,
        put: Callable[[str, int, str, str], Found],
        release: Callable[[], None],
    ) -> None:
        """Make the file, which may be there in part; raise OSError.

        `put` makes an entry of it: by digest, size, name and source. `release` lets others at it.
        """
        self.size = 0
        self._path = path
        self._put = put
        self._release = release
        self._hashes: dict[str, Any] = {}
        # What a killed process has left may be an entry by now, and is nothing to write to.
        drop(path)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

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
        drop(self._path)
        os.close(self._fd)
        self._release()

    def _failed(self, error: OSError) -> CacheError:
        reason = (error.strerror or str(error)).lower()
        return CacheError(f"write {self._path}: {reason}")


def drop(path: str) -> None:
    """Remove a file, if there is one that can be removed."""
    with contextlib.suppress(OSError):
        os.unlink(path)
