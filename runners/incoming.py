"""Files that a controller puts into an environment, piece by piece.

A file is there when it is whole and has the right hash, not before: until then it has another name
beside. Pieces that come again, since a link was lost, change nothing. Not responsible for which
files are wanted (``nrunner.delivery``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Mapping

from nrunner.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from nrunner.runners.loop import Loop

__all__ = ["LONGEST_PIECE", "Incoming"]

LONGEST_PIECE = 1 << 20
_LOOKED_AT_ONCE = 1 << 20
"""Bytes that are read in one turn of the loop, so that others need not wait."""
_MOST_FILES = 32
_MOST_DONE = 1000


class Incoming:
    """All files that are on their way."""

    def __init__(
        self, loop: Loop, answer: Callable[[Mapping[str, Any], Mapping[str, Any]], None]
    ) -> None:
        """`answer` answers a frame with some fields."""
        self._loop = loop
        self._answer = answer
        self._files: dict[str, _File] = {}
        self._done: dict[str, str] = {}
        """Path to hash of files that came, since the last piece may come again."""

    def take(self, head: Mapping[str, Any], body: bytes) -> None:
        """Take a frame ``put``; raise RequirementError, or what comes of a malformed field."""
        path, size, digest = _path(head["path"]), _number(head["size"]), str(head["sha256"])
        if head.get("look") is True:
            _Look(self._loop, path, size, digest, lambda **found: self._answer(head, found)).go_on()
            return
        if len(body) > LONGEST_PIECE:
            raise RequirementError(f"put {path}: a piece has {LONGEST_PIECE} bytes at most")
        offset = _number(head["offset"])
        if offset == 0:
            self._begin(path, size, digest, _number(head["mode"]))
        file = self._files.get(path)
        if file is None:
            if self._done.get(path) != digest:
                raise RequirementError(f"put {path}: its beginning is not there")
            self._answer(head, {"done": True})
            return
        try:
            is_done = file.add(offset, body)
        except BaseException:
            self._discard(path)
            raise
        if is_done:
            del self._files[path]
            self._done[path] = digest
            while len(self._done) > _MOST_DONE:
                del self._done[next(iter(self._done))]
        self._answer(head, {"done": is_done})

    def close(self) -> None:
        """Forget all that is not whole."""
        for path in list(self._files):
            self._discard(path)

    def _begin(self, path: str, size: int, digest: str, mode: int) -> None:
        self._discard(path)
        if len(self._files) >= _MOST_FILES:
            raise RequirementError(f"put {path}: {_MOST_FILES} others are on their way")
        self._files[path] = _File(path, size, digest, mode)

    def _discard(self, path: str) -> None:
        file = self._files.pop(path, None)
        if file is not None:
            file.discard()


class _File:
    """One file that is on its way."""

    def __init__(self, path: str, size: int, digest: str, mode: int) -> None:
        self._path = path
        self._size = size
        self._digest = digest
        self._mode = mode & 0o777
        self._has = 0
        self._hash = hashlib.sha256()
        folder = os.path.dirname(path)
        self._new = f"{folder}/.{os.urandom(8).hex()}.nrunner"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            os.makedirs(folder, exist_ok=True)
            self._fd = os.open(self._new, flags, 0o600)
        except OSError as error:
            raise _failed(path, error) from error

    def add(self, offset: int, piece: bytes) -> bool:
        """Add a piece; return whether the file is whole, and there. Raise RequirementError."""
        if offset + len(piece) <= self._has and piece:
            return False
        if offset < self._has:
            # It was cut another way the last time.
            piece, offset = piece[self._has - offset :], self._has
        if offset != self._has or offset + len(piece) > self._size:
            raise RequirementError(f"put {self._path}: a piece at {offset} is not the next one")
        try:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise _failed(self._path, error) from error
        self._hash.update(piece)
        self._has += len(piece)
        if self._has < self._size:
            return False
        self._finish()
        return True

    def _finish(self) -> None:
        came = self._hash.hexdigest()
        if came != self._digest:
            raise RequirementError(f"put {self._path}: its sha256 is {came}, not {self._digest}")
        try:
            os.fchmod(self._fd, self._mode)
            os.replace(self._new, self._path)
        except OSError as error:
            raise _failed(self._path, error) from error
        os.close(self._fd)

    def discard(self) -> None:
        """Remove what is there of it."""
        os.close(self._fd)
        with contextlib.suppress(OSError):
            os.unlink(self._new)


class _Look:
    """A look whether a file is there already: as many bytes at a time as others can wait for."""

    def __init__(
        self, loop: Loop, path: str, size: int, digest: str, found: Callable[..., None]
    ) -> None:
        self._loop = loop
        self._digest = digest
        self._found = found
        self._hash = hashlib.sha256()
        self._fd = _open_if(path, size)

    def go_on(self) -> None:
        """Look at a part of it, and come back for the rest."""
        if self._fd is None:
            self._found(have=False)
            return
        try:
            piece = os.read(self._fd, _LOOKED_AT_ONCE)
        except OSError:
            piece = None
        if piece:
            self._hash.update(piece)
            self._loop.real_after(0.0, self.go_on)
            return
        os.close(self._fd)
        self._found(have=piece is not None and self._hash.hexdigest() == self._digest)


def _open_if(path: str, size: int) -> Optional[int]:
    """Open a file that has this size; return None if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_size == size:
        return fd
    os.close(fd)
    return None


def _path(value: Any) -> str:
    """Return a path that leads where it seems to; raise RequirementError."""
    path = str(value)
    if not path.startswith("/") or os.path.normpath(path) != path or "\0" in path:
        raise RequirementError(f"put {path!r:.200}: expected a path from the root, without detours")
    return path


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"expected a number of bytes, got {value!r:.80}")
    return value


def _failed(path: str, error: OSError) -> RequirementError:
    return RequirementError(f"put {path}: {(error.strerror or str(error)).lower()}")
