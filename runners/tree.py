"""The copy of a controller's files in which attempts run: what is missing, and putting it here.

Files come whole and many in one frame; large ones by themselves (``nrunner.runners.incoming``). A
file that is replaced is there as it was, or as it is to be, at each moment. Not responsible for
which files belong to it (``nrunner.tree``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping

from nrunner.errors import RequirementError
from nrunner.runners.attempt import whole
from nrunner.runners.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from nrunner.runners.loop import Loop

__all__ = ["TreeCopy"]

_LOOKED_AT_ONCE = 1 << 20
"""Bytes that are read in one turn of the loop, so that others need not wait."""
_FILES_AT_ONCE = 250
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Answer = Callable[[Mapping[str, "Any"], Mapping[str, "Any"]], None]


class TreeCopy:
    """Takes the frames ``put`` that are about many files."""

    def __init__(self, loop: Loop, answer: Answer) -> None:
        """`answer` answers a frame with some fields."""
        self._loop = loop
        self._answer = answer

    def take(self, head: Mapping[str, Any], body: bytes) -> None:
        """Take a frame; raise RequirementError, or what comes of a malformed field."""
        root = head["root"]
        if not isinstance(root, str) or not root.startswith("/"):
            raise TypeError("expected a path from the root")
        manifest = head.get("manifest")
        if manifest is not None:
            wanted = [(_inner(path), int(size), str(digest)) for path, size, digest in manifest]
            _Look(self._loop, root, wanted, lambda told: self._answer(head, told)).go_on()
            return
        offset = 0
        for path, mode, length in head.get("files", ()):
            end = offset + whole(length)
            _put(root, _inner(path), whole(mode), body[offset:end])
            offset = end
        for path, target in head.get("links", ()):
            _link(root, _inner(path), str(target))
        self._answer(head, {"done": True})


class _Look:
    """A look which of many files are not there as they should be."""

    def __init__(
        self,
        loop: Loop,
        root: str,
        wanted: list[tuple[str, int, str]],
        found: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._loop = loop
        self._root = root
        self._rest = wanted[::-1]
        self._found = found
        self._missing: list[str] = []

    def go_on(self) -> None:
        """Look at some, and come back for the rest."""
        read = 0
        for _ in range(_FILES_AT_ONCE):
            if not self._rest:
                self._found({"missing": self._missing})
                return
            path, size, digest = self._rest.pop()
            if _digest(f"{self._root}/{path}", size) != digest:
                self._missing.append(path)
            read += size
            if read > _LOOKED_AT_ONCE:
                break
        self._loop.real_after(0.0, self.go_on)


def _digest(path: str, size: int) -> Optional[str]:
    """Return the hash of a file of this size, None if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return None
        digest = hashlib.sha256()
        while True:
            piece = os.read(fd, _LOOKED_AT_ONCE)
            if not piece:
                return digest.hexdigest()
            digest.update(piece)
    except OSError:
        return None
    finally:
        os.close(fd)


def _put(root: str, path: str, mode: int, data: bytes) -> None:
    """Have a file at a path, whatever was there."""
    target = f"{root}/{path}"
    new = f"{os.path.dirname(target)}/.{os.urandom(8).hex()}.nrunner"
    try:
        fd = _create(new)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fchmod(fd, mode & 0o777 | 0o400)
        finally:
            os.close(fd)
        _replace(new, target)
    except OSError as error:
        _forget(new)
        raise _failed(target, error) from error


def _create(path: str) -> int:
    try:
        return os.open(path, _NEW, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        return os.open(path, _NEW, 0o600)


def _replace(new: str, target: str) -> None:
    try:
        os.replace(new, target)
    except IsADirectoryError:
        remove_tree(target)
        os.replace(new, target)


def _link(root: str, path: str, target: str) -> None:
    """Have a link at a path, whatever was there."""
    place = f"{root}/{path}"
    new = f"{os.path.dirname(place)}/.{os.urandom(8).hex()}.nrunner"
    try:
        os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
        os.symlink(target, new)
        _replace(new, place)
    except OSError as error:
        _forget(new)
        raise _failed(place, error) from error


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _inner(path: Any) -> str:
    """Return a path that stays below the root; raise RequirementError."""
    if not isinstance(path, str) or any(each in ("", ".", "..") for each in path.split("/")):
        raise RequirementError(f"put {path!r:.200}: expected a path below the root")
    return path


def _failed(path: str, error: OSError) -> RequirementError:
    return RequirementError(f"put {path}: {(error.strerror or str(error)).lower()}")
