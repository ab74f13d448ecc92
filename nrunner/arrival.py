"""Files that come from an environment, written below one folder here, whatever they are called.

Whoever sends them may lie: nothing is written outside the folder, no link is followed, and no more
comes than was asked for. Not responsible for what is asked for (``nrunner.outpost``), nor for
what may leave an environment (``nrunner.runners.outgoing``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nrunner.errors import ProtocolError
from nrunner.record import dataclass

__all__ = ["LEFT_OUT", "Allowance", "Arrival"]

LEFT_OUT = "left-out.txt"
"""Name of the file that says what is missing, beside what came."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OURS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE)
"""What is wrong with this machine, not with what comes."""
_MOST_NAMED = 100
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may come of one attempt."""

    files: int = 10_000
    bytes: int = 1 << 30


class Arrival:
    """What comes of one attempt. All of it blocks, and raises OSError if nothing can be kept."""

    def __init__(self, folder: str, allowance: Allowance) -> None:
        self._folder = folder
        self._allowance = allowance
        self._files = 0
        self._bytes = 0
        self._left_out: list[str] = []
        self._more = 0
        """How many more are missing than are named."""
        self._open = ("", -1)
        """The file that comes now."""
        self._has_namesake = False
        """Whether what came has a file with the name of ours."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is known to be missing."""
        return not self._left_out

    def take(self, entries: Sequence[Any], body: bytes) -> None:
        """Take parts of files: path, mode, offset, length, and whether the file ends there.

        Raise ProtocolError if they make no sense, or are more than may come.
        """
        start = 0
        for path, mode, offset, length, is_last in map(_checked, entries):
            if start + length > len(body):
                raise ProtocolError("receive files: they are longer than what came")
            self._count(path, offset, length)
            self._has_namesake = self._has_namesake or path == LEFT_OUT
            part = body[start : start + length]
            start += length
            try:
                self._write(path, mode, offset, part, is_last=is_last)
            except OSError as error:
                if error.errno in _OURS:
                    raise
                self.leave_out(path, f"it cannot be kept: {(error.strerror or '').lower()}")

    def leave_out(self, path: str, why: str) -> None:
        """Note something that does not come."""
        if len(self._left_out) < _MOST_NAMED:
            named = path if path.isprintable() else ascii(path)
            self._left_out.append(f"{named}: {why}"[:_LONGEST_REASON])
        else:
            self._more += 1

    def end(self) -> None:
        """Say what is missing in a file beside what came."""
        self.close()
        if not self._left_out:
            return
        lines = ["Not brought here:", *self._left_out]
        if self._more:
            lines.append(f"and {self._more} more")
        text = "".join(f"{each}\n" for each in lines).encode("utf-8", "backslashreplace")
        offset = -1 if self._has_namesake else 0
        self._write(LEFT_OUT, 0o600, offset, text, is_last=True)

    def close(self) -> None:
        """Close what is open."""
        fd = self._open[1]
        self._open = ("", -1)
        if fd >= 0:
            os.close(fd)

    def _count(self, path: str, offset: int, length: int) -> None:
        if offset == 0 or path != self._open[0]:
            self._files += 1
        self._bytes += length
        if self._files > self._allowance.files or self._bytes > self._allowance.bytes:
            raise ProtocolError("receive files: more came than was asked for")

    def _write(self, path: str, mode: int, offset: int, data: bytes, *, is_last: bool) -> None:
        fd = self._file(path, offset)
        rest = memoryview(data)
        while rest:
            written = os.write(fd, rest) if offset < 0 else os.pwrite(fd, rest, offset)
            offset += written if offset >= 0 else 0
            rest = rest[written:]
        if is_last:
            os.fchmod(fd, mode & 0o777 | 0o600)
            self.close()

    def _file(self, path: str, offset: int) -> int:
        """Open a file; one that is added to (an offset below zero) may be there already."""
        if self._open[0] == path and offset > 0:
            return self._open[1]
        self.close()
        *folders, name = path.split("/")
        how = os.O_APPEND if offset < 0 else os.O_TRUNC if offset == 0 else 0
        with self._inside(folders) as folder:
            fd = os.open(name, _FILE | how, 0o600, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EEXIST, "something else is there")
        self._open = (path, fd)
        return fd

    @contextlib.contextmanager
    def _inside(self, folders: Sequence[str]) -> Iterator[int]:
        """Open a folder below ours, made where need be, without following any link."""
        Path(self._folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        here = os.open(self._folder, _FOLDER)
        try:
            for name in folders:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=here)
                inner = os.open(name, _FOLDER, dir_fd=here)
                os.close(here)
                here = inner
            yield here
        finally:
            os.close(here)


def _checked(entry: Any) -> tuple[str, int, int, int, bool]:
    """Return a part of a file as it was sent; raise ProtocolError if it makes no sense."""
    try:
        path, mode, offset, length, is_last = entry
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"receive files: {entry!r:.100} describes none") from error
    if not isinstance(path, str) or not all(type(each) is int for each in (mode, offset, length)):
        raise ProtocolError(f"receive files: {entry!r:.100} describes none")
    if min(mode, offset, length) < 0 or offset + length >= 1 << 62:
        raise ProtocolError(f"receive files: {entry!r:.100} describes none")
    if "\0" in path or any(each in ("", ".", "..") for each in path.split("/")):
        raise ProtocolError(f"receive files: {path!r:.100} is no path below a folder")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise ProtocolError(f"receive files: {path!r:.100} can be no name") from error
    return path, mode, offset, length, is_last is True
