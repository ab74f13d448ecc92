"""Reading a task's log for somebody: never outside the job's folder, and any part of it.

Not responsible for where a log is; the job says so.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from nrunner.record import dataclass

__all__ = ["LogFile", "Part", "is_range", "part_of"]

_RANGE = re.compile(r"bytes=(?!-\Z)([0-9]{0,18})-([0-9]{0,18})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `start` up to but without `stop`."""

    start: int
    stop: int


def is_range(header: str) -> bool:
    """Whether a ``Range`` header is understood; else it is as if there were none."""
    return _RANGE.match(header) is not None


def part_of(header: str | None, size: int) -> Part | None:
    """Return the part that a ``Range`` header asks for; None if there is no such part.

    Without a header, or with one that is not understood, the whole is meant.
    """
    found = _RANGE.match(header or "")
    if found is None:
        return Part(0, size)
    first, last = found.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    return Part(start, stop) if start < stop else None


class LogFile:
    """An open regular file inside a folder; raises OSError if it is none."""

    def __init__(self, folder: Path, path: Path) -> None:
        # What a payload left there may be a link, a pipe or a device: look at what was opened.
        self._fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(self._fd)
            place = Path(f"/proc/self/fd/{self._fd}").readlink()
            if not stat.S_ISREG(found.st_mode) or not place.is_relative_to(folder.resolve()):
                raise PermissionError("not a file of this job")
        except BaseException:
            self.close()
            raise
        self.size = found.st_size
        self.tag = f'"{found.st_size:x}-{found.st_mtime_ns:x}"'
        """What changes when the file does."""

    def read(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes from `offset` on."""
        return os.pread(self._fd, size, offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
