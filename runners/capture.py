"""What one stream of a payload writes, taken from a pipe into a file.

The pipe is made once and serves attempt after attempt: the agent keeps its writing end, too, so
there is no end of file to wait for, and nobody who holds the pipe open delays anything. The file
exists only once there is something to put into it. Programs expect a pipe or a terminal: with a
file, ``echo x > /dev/stderr`` would cut off what came before.
Not responsible for where the file goes afterwards (``nrunner.runners.slot``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable

from nrunner.runners.loop import Loop
from nrunner.runners.mover import SPLICING, Mover, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Capture"]

_PIECE = 1 << 16
"""What a pipe holds at first."""
_LOUD = _PIECE // 2
"""A payload that has written this much before we look gets a larger one.

Not the whole of it: who writes in pieces of 63 KiB never fills a pipe of 64.
"""
_LARGE = 1 << 20
_MUCH = 1 << 18
"""What a loud payload has written by the time that a thread is worth its price."""
_SET_PIPE_SIZE = 1031
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


class Capture:
    """One stream of a slot; `path` is its file while an attempt runs."""

    def __init__(self, path: str, loop: Optional[Loop] = None) -> None:
        """Without a loop nothing is taken before `drain`."""
        self.path = path
        self.trouble = ""
        """Why some of what was taken could not be kept, or empty."""
        self._taken = 0
        self._on_taken: Optional[Callable[[], None]] = None
        self._mover: Optional[Mover] = None
        self._is_movable = SPLICING
        self._loop = loop
        self._ends: Optional[tuple[int, int]] = None
        self._file = -1
        self._piece = _PIECE

    def open(self) -> int:
        """Return the end to write to; raise OSError."""
        if self._ends is None:
            reading, writing = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(reading, False)
            self._ends = reading, writing
            if self._loop is not None:
                self._loop.watch(reading, self.take)
        # The one before may have changed what all who share this end have in common.
        os.set_blocking(self._ends[1], True)
        return self._ends[1]

    @property
    def mark(self) -> str:
        """How /proc shows the pipe among a process's files."""
        return "" if self._ends is None else f"pipe:[{os.fstat(self._ends[0]).st_ino}]"

    @property
    def size(self) -> int:
        """How many bytes of the running attempt were taken."""
        return self._taken + (0 if self._mover is None else self._mover.moved)

    @property
    def on_taken(self) -> Optional[Callable[[], None]]:
        """Called when there is more, if somebody waits for it."""
        return self._on_taken

    @on_taken.setter
    def on_taken(self, callback: Optional[Callable[[], None]]) -> None:
        self._on_taken = callback
        if callback is not None:
            self._take_over()

    def take(self) -> int:
        """Take what the pipe holds, one piece at most; return how much that was.

        What is loud may be taken by a thread from then on, until `drain`.
        """
        taken = self._take()
        if taken >= _LOUD and self._ends is not None:
            self._mind_loudness(self._ends[0])
        return taken

    def _take(self) -> int:
        if self._ends is None:
            return 0
        try:
            data = os.read(self._ends[0], self._piece)
        except BlockingIOError:
            return 0
        self._taken += len(data)
        if not self.trouble:
            try:
                self._keep(data)
            except OSError as error:
                self.trouble = f"{self.path}: {error.strerror}"
        if self._on_taken is not None:
            self._on_taken()
        return len(data)

    def read(self, offset: int, most: int) -> bytes:
        """Return what was taken of the running attempt from an offset on, as far as it was kept."""
        return b"" if self._file < 0 else os.pread(self._file, most, offset)

    def drain(self) -> None:
        """Take all that was written until now; whoever still writes is not waited for."""
        self._take_over()
        left = _LARGE + _PIECE
        while left > 0:
            taken = self._take()
            if not taken:
                return
            left -= taken

    def hand_over(self) -> int:
        """Return the open file, which is the caller's from now on; -1 if there is none."""
        self._take_over()
        file, self._file = self._file, -1
        self._on_taken = None
        self._taken = 0
        self.trouble = ""
        return file

    def close(self) -> None:
        """Give up the pipe, since somebody may still write to it, and the file."""
        self._take_over()
        if self._ends is not None:
            if self._loop is not None:
                self._loop.unwatch(self._ends[0])
            for end in self._ends:
                os.close(end)
            self._ends = None
        self._piece = _PIECE
        file = self.hand_over()
        if file >= 0:
            os.close(file)
            try:
                os.unlink(self.path)
            except OSError:
                pass

    def _keep(self, data: bytes) -> None:
        if self._file < 0:
            self._file = self._create()
        write_all(self._file, data)

    def _create(self) -> int:
        try:
            return os.open(self.path, _FLAGS, 0o600)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            # The test removed our folder.
            os.makedirs(os.path.dirname(self.path), 0o700, exist_ok=True)
            return os.open(self.path, _FLAGS, 0o600)

    def _mind_loudness(self, reading: int) -> None:
        """Have more room in the pipe, then a thread that empties it."""
        if self._piece == _PIECE:
            self._enlarge(reading)
        elif self._loop is not None and self._is_worth_a_thread():
            try:
                self._mover = Mover(reading, self._file)
                self._loop.unwatch(reading)
            except (OSError, RuntimeError):
                self._is_movable = False  # no thread is to be had

    def _is_worth_a_thread(self) -> bool:
        return (
            self._is_movable
            and self._taken >= _MUCH
            and self._on_taken is None
            and not self.trouble
            and Mover.running < len(os.sched_getaffinity(0))
        )

    def _take_over(self) -> None:
        """Take everything in the loop from now on, if a thread does."""
        mover, self._mover = self._mover, None
        if mover is None or self._loop is None or self._ends is None:
            return
        mover.stop()
        self._taken += mover.moved
        if mover.trouble:
            self.trouble = f"{self.path}: {mover.trouble}"
        self._loop.watch(self._ends[0], self.take)

    def _enlarge(self, end: int) -> None:
        try:
            fcntl.fcntl(end, _SET_PIPE_SIZE, _LARGE)
            self._piece = _LARGE
        except OSError:
            # The user has too many large pipes already.
            self._piece = _PIECE + 1
