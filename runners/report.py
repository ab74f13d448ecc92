"""The file in which a payload leaves its own report, used by attempt after attempt.

Making, renaming and removing a file for each attempt can cost more than the attempt. So there is
one file that stays, and a report is its first line: a blank one says that there is none. A payload
that finds no such file at the path makes one, and that is found, too.
Not responsible for what a report says.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os

__all__ = ["ReportFile"]

_LONGEST = 16 << 20
"""In bytes: a longer report is not believed."""
_USUAL = 4096
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""What a payload put there may be a link or a pipe: neither is followed nor waited for."""
_MAKE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class ReportFile:
    """The report of a slot."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1

    def blank(self) -> None:
        """Make ready for the next payload; raise OSError."""
        if self._file < 0 or not self._is_found():
            self.close()
            self._make()
        os.pwrite(self._file, b"\n", 0)

    def read(self) -> bytes:
        """Return what the payload left, empty if it left nothing; raise OSError."""
        if self._file >= 0:
            line = _first_line(self._file, _USUAL)
            if line:
                return line
        try:
            other = os.open(self.path, _READ)
        except OSError:
            self.close()  # nor will the next payload find it
            raise
        try:
            if self._file >= 0 and os.path.sameopenfile(other, self._file):
                return b""
            self.close()  # it is not what payloads find at the path
            return _first_line(other, _LONGEST)
        finally:
            os.close(other)

    def close(self) -> None:
        """Let go of the file, since somebody may still write to it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _is_found(self) -> bool:
        """Whether the path still leads to the file that we have."""
        try:
            return os.path.samestat(os.lstat(self.path), os.fstat(self._file))
        except OSError:
            return False

    def _make(self) -> None:
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), 0o700, exist_ok=True)
        except IsADirectoryError:
            import shutil

            shutil.rmtree(self.path)
        self._file = os.open(self.path, _MAKE, 0o600)


def _first_line(file: int, most: int) -> bytes:
    data = os.pread(file, most, 0)
    line, end, _ = data.partition(b"\n")
    if not end and len(data) == most < _LONGEST:
        return _first_line(file, _LONGEST)
    return line
