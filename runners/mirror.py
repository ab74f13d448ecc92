"""A file in which lines outlive the process that wrote them, at the price of a copy in memory.

The file is mapped: what was written is there for whoever opens it, even if the writer was killed in
the middle of it. One number of eight bytes, written last, says which part of the file counts, so a
reader sees whole lines only. A power cut may lose it. Not responsible for what the lines say, nor
for which of them are still needed.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from typing import Optional

__all__ = ["Mirror", "read_mirror"]

_MAGIC = b"nrspool1"
_HEAD = 64
"""Bytes before the lines: the magic, and where the part that counts begins and ends."""
_SIZE = 1 << 18
_LARGEST = (1 << 32) - 1


class Mirror:
    """A mapped file; without room for it, or once it is closed, nothing is written."""

    def __init__(self, path: str, size: int = _SIZE) -> None:
        self.path = path
        self._map: Optional[mmap.mmap] = None
        self._start = self._end = _HEAD
        self._limit = size // 2
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError:
            self._file = -1
            return
        self._open(size)

    @property
    def is_open(self) -> bool:
        """Whether what is written now will be found."""
        return self._map is not None

    def write(self, line: bytes) -> bool:
        """Add a line, its newline included; False if there is no room for it (see `restart`)."""
        end = self._end + len(line)
        if self._map is None or end > self._limit:
            return False
        self._map[self._end : end] = line
        self._mark(self._start, end)
        return True

    def restart(self, lines: bytes) -> None:
        """Have `lines`, and nothing else, count from now on.

        They go to the half of the file that does not count now: whoever is killed in between leaves
        the old ones or the new ones.
        """
        need = len(lines)
        if self._map is not None and need > len(self._map) // 4:
            self._grow(8 * need)
        if self._map is None:
            return
        middle = len(self._map) // 2
        start = middle if self._start < middle else _HEAD
        self._limit = len(self._map) if start == middle else middle
        self._map[start : start + need] = lines
        self._mark(start, start + need)

    def close(self) -> None:
        """Write no more; what is there stays."""
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Close it, and leave nothing behind."""
        self.close()
        try:
            os.unlink(self.path)
        except OSError:
            pass

    def _open(self, size: int) -> None:
        import mmap

        try:
            # Without blocks of its own, writing to a map would end the process on a full disk.
            os.posix_fallocate(self._file, 0, size)
            self._map = mmap.mmap(self._file, size)
        except (OSError, ValueError):
            self.remove()
            return
        self._mark(_HEAD, _HEAD)
        self._map[: len(_MAGIC)] = _MAGIC

    def _grow(self, size: int) -> None:
        assert self._map is not None
        try:
            if size > _LARGEST:
                raise OverflowError
            os.posix_fallocate(self._file, 0, size)
            self._map.resize(size)
        except (OSError, ValueError, OverflowError, SystemError):
            # What it says is true no longer: better none than one that misleads.
            self.remove()

    def _mark(self, start: int, end: int) -> None:
        assert self._map is not None
        self._start, self._end = start, end
        self._map[8:16] = (start | end << 32).to_bytes(8, "little")


def read_mirror(path: str) -> Optional[list[bytes]]:
    """Return the lines that count, without their newlines; None if there is no such file."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    bounds = int.from_bytes(data[8:16], "little")
    start, end = bounds & _LARGEST, bounds >> 32
    if data[:8] != _MAGIC or not _HEAD <= start <= end <= len(data):
        return None
    return data[start:end].split(b"\n")[:-1]
