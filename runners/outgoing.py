"""Files that a controller takes out of an environment that it does not see, piece by piece.

What a test left may be anything: only regular files are taken, links are not followed wherever they
stand below the folder that is asked for, and what is left out is said. Nothing has to be remembered
between two pieces: each says where the next one begins, so that a piece that was lost with its link
can be asked for again. Not responsible for where the files go (``nrunner.arrival``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator, Mapping
from itertools import islice

from nrunner.record import dataclass
from nrunner.runners.attempt import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    _Level = tuple[int, Iterator[str], tuple[str, ...]]

__all__ = ["LONGEST_PIECE", "Outgoing", "Piece", "Walk", "enclosed"]

LONGEST_PIECE = 1 << 20
_MOST_FOUND = 1000
"""Entries that are looked at for one piece, so that others need not wait."""
_MOST_LISTED = 1 << 17
"""Entries of one folder that are listed at once: nobody wants that many brought."""
_MOST_NAMES = 1 << 16
"""Letters of names in one piece: an answer is bounded."""
_DEEPEST = 64
_MOST_WALKS = 16
_MOST_ENCLOSED = 16
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WHOLE = -1
"""As an offset: a file of which nothing more is wanted."""


@dataclass(frozen=True)
class Cursor:
    """How far a folder was taken: up to an offset in a file, and how much that was in all."""

    path: tuple[str, ...] = ()
    offset: int = _WHOLE
    files: int = 0
    size: int = 0

    @classmethod
    def from_json(cls, data: Any) -> Cursor:
        """Read what `to_json` returned; raise TypeError or ValueError."""
        path, offset, files, size = data
        if not isinstance(path, str):
            raise TypeError("expected a path")
        parts = tuple(path.split("/")) if path else ()
        return cls(parts, whole(offset), whole(files), whole(size))

    def to_json(self) -> list[Any]:
        """Return it as JSON types."""
        return ["/".join(self.path), self.offset, self.files, self.size]


@dataclass(frozen=True)
class Piece:
    """Some files, or parts of one."""

    entries: list[list[Any]]
    """Path, mode, offset, length, and whether the file ends there, of each part of the body."""
    body: bytes
    left_out: list[list[str]]
    """Path and reason."""
    cursor: Optional[Cursor]
    """Where the next piece begins; None if there is none."""


class _Found:
    """Something in a folder."""

    __slots__ = ("fd", "mode", "path", "size", "why")

    def __init__(
        self, path: tuple[str, ...], why: str = "", fd: int = -1, size: int = 0, mode: int = 0
    ) -> None:
        self.path = path
        self.why = why
        """Why it is left out, if it is."""
        self.fd = fd
        self.size = size
        self.mode = mode


_END = _Found(())


class Walk:
    """The way through a folder, always in the same order."""

    def __init__(
        self, folder: str, most_files: int, most_bytes: int, cursor: Optional[Cursor] = None
    ) -> None:
        """It begins at `cursor`; raise OSError if there is no such folder."""
        self.cursor = cursor or Cursor()
        self._most_files = most_files
        self._most_bytes = most_bytes
        self._found: Optional[_Found] = None
        """The file that is taken now."""
        self._offset = 0
        self._rest = _walk(os.open(folder, _FOLDER), self.cursor)

    def piece(self, most: int) -> Piece:
        """Return the next piece, `most` bytes at most; raise OSError."""
        entries: list[list[Any]] = []
        parts: list[bytes] = []
        left_out: list[list[str]] = []
        names = 0
        for _ in range(_MOST_FOUND):
            if most <= 0 or names > _MOST_NAMES:
                break
            found = self._found or next(self._rest, _END)
            if found is None:
                continue
            if found is _END:
                return Piece(entries, b"".join(parts), left_out, None)
            names += sum(map(len, found.path))
            if found is not self._found:
                found.why = found.why or self._objection(found)
                if found.why:
                    left_out.append(["/".join(found.path), found.why])
                    if self._pass_over(found):
                        return Piece(entries, b"".join(parts), left_out, None)
                    continue
                self._begin(found)
            data, is_last = self._read(found, most)
            entries.append(
                ["/".join(found.path), found.mode, self._offset - len(data), len(data), is_last]
            )
            parts.append(data)
            most -= len(data)
            self._note(found, is_last)
        return Piece(entries, b"".join(parts), left_out, self.cursor)

    def close(self) -> None:
        """Close what is open."""
        self._rest.close()  # type: ignore[attr-defined]  # it is a generator
        if self._found is not None:
            os.close(self._found.fd)
            self._found = None

    def _objection(self, found: _Found) -> str:
        is_begun = found.path == self.cursor.path
        if is_begun:
            return ""
        if self.cursor.files >= self._most_files:
            return f"there are more than {self._most_files} files"
        if self.cursor.size + found.size > self._most_bytes:
            return f"it has {found.size} bytes, which makes more than {self._most_bytes} in all"
        return ""

    def _pass_over(self, found: _Found) -> bool:
        """Leave something out; return whether everything after it is left out, too."""
        if found.fd >= 0:
            os.close(found.fd)
        done = self.cursor
        self.cursor = Cursor(found.path, _WHOLE, done.files, done.size)
        if done.files < self._most_files:
            return False
        self._rest.close()  # type: ignore[attr-defined]  # it is a generator
        return True

    def _begin(self, found: _Found) -> None:
        self._found = found
        done = self.cursor
        self._offset = done.offset if found.path == done.path else 0
        if found.path != done.path:
            self.cursor = Cursor(found.path, 0, done.files + 1, done.size + found.size)

    def _read(self, found: _Found, most: int) -> tuple[bytes, bool]:
        data = os.pread(found.fd, max(0, min(most, found.size - self._offset)), self._offset)
        self._offset += len(data)
        return data, not data or self._offset >= found.size

    def _note(self, found: _Found, is_last: bool) -> None:
        done = self.cursor
        offset = _WHOLE if is_last else self._offset
        self.cursor = Cursor(done.path, offset, done.files, done.size)
        if is_last:
            os.close(found.fd)
            self._found = None


def _walk(root: int, begin: Cursor) -> Iterator[Optional[_Found]]:
    """Yield what is in a folder, by name, and None for each folder in it; closes `root`."""
    stack: list[_Level] = [(root, iter(_names(root)), ())]
    try:
        while stack:
            folder, names, above = stack[-1]
            name = next(names, None)
            if name is None:
                os.close(stack.pop()[0])
                continue
            path = (*above, name)
            if path < begin.path[: len(path)] or (path == begin.path and begin.offset == _WHOLE):
                continue
            found = _open(folder, name, path)
            if found is None:
                continue
            if stat.S_ISDIR(found.mode) and not found.why:
                stack.append((found.fd, iter(_names(found.fd)), path))
                yield None  # others may have their turn
                continue
            yield found
    finally:
        for folder, _, _ in stack:
            os.close(folder)


def _names(folder: int) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, _MOST_LISTED))
    except OSError:
        return []


def _open(folder: int, name: str, path: tuple[str, ...]) -> Optional[_Found]:
    """Open what has a name in a folder, if it is a file or a folder; None if it is gone."""
    try:
        # Opening alone may do something, if it is a device.
        why = _unfit(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode, len(path))
        if why:
            return _Found(path, why)
        try:
            fd = os.open(name, _FILE, dir_fd=folder)
        except PermissionError:
            return _Found(path, "it cannot be read")
        found = os.fstat(fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _Found(path, f"it cannot be read: {error.strerror}")
    why = _unfit(found.st_mode, len(path))
    if why:
        os.close(fd)
        return _Found(path, why)
    mode = found.st_mode if stat.S_ISDIR(found.st_mode) else stat.S_IMODE(found.st_mode) & 0o777
    return _Found(path, "", fd, found.st_size, mode)


def _unfit(mode: int, depth: int) -> str:
    """Return why something is not taken because of what it is; empty if it is."""
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return "" if depth < _DEEPEST else f"it is {_DEEPEST} folders deep"
    return "it is a link" if stat.S_ISLNK(mode) else "it is no regular file"


def enclosed(folder: str, most: int) -> dict[str, Any]:
    """Return what an event says of the files in a folder, and remove the folder if that is all.

    All of them, if they are few and have `most` bytes at most; else that they have to be fetched.
    """
    try:
        walk = Walk(folder, _MOST_ENCLOSED, most)
    except FileNotFoundError:
        return {}
    except OSError:
        return {"fetch": True}  # whoever fetches is told why that cannot be
    try:
        piece = walk.piece(most + 1)
    except OSError:
        return {"fetch": True}
    finally:
        walk.close()
    if piece.left_out or piece.cursor is not None:
        return {"fetch": True}
    from nrunner.runners.removal import remove_tree

    remove_tree(folder)
    files, offset = [], 0
    for path, mode, _, length, _ in piece.entries:
        data = base64.b64encode(piece.body[offset : offset + length])
        files.append([path, mode, data.decode("ascii")])
        offset += length
    return {"files": files} if files else {}


class Outgoing:
    """All folders that are on their way."""

    def __init__(self) -> None:
        self._walks: dict[str, Walk] = {}

    def take(self, head: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return the answer to a frame ``get``; raise OSError, or what comes of a bad field."""
        folder = head["folder"]
        if not isinstance(folder, str) or not folder.startswith("/"):
            raise TypeError("expected a path from the root")
        most = min(whole(head["most"]), LONGEST_PIECE)
        try:
            walk = self._walk(folder, head)
        except FileNotFoundError:
            return {"entries": []}, b""
        piece = walk.piece(most)
        answer: dict[str, Any] = {"entries": piece.entries}
        if piece.left_out:
            answer["left_out"] = piece.left_out
        if piece.cursor is None:
            self.forget(folder)
        else:
            answer["next"] = piece.cursor.to_json()
        return answer, piece.body

    def forget(self, folder: str) -> None:
        """Nobody asks for the rest of a folder any more."""
        walk = self._walks.pop(folder, None)
        if walk is not None:
            walk.close()

    def close(self) -> None:
        """Forget all."""
        for folder in list(self._walks):
            self.forget(folder)

    def _walk(self, folder: str, head: Mapping[str, Any]) -> Walk:
        """Return the way through a folder from where it was left, or from where it is wanted."""
        cursor = Cursor.from_json(head["from"]) if "from" in head else Cursor()
        walk = self._walks.get(folder)
        if walk is not None and walk.cursor == cursor and "from" in head:
            return walk
        self.forget(folder)
        while len(self._walks) >= _MOST_WALKS:
            self.forget(next(iter(self._walks)))
        limits = whole(head["most_files"]), whole(head["most_bytes"])
        walk = self._walks[folder] = Walk(folder, *limits, cursor)
        return walk
