"""A thread that moves what a loud payload prints, from its pipe into its file.

The loop takes what ordinary payloads print. Where some print all the time it would do nothing else,
and all of them would share the one processor that it has; the kernel moves what is in a pipe
without the interpreter, so that threads do not wait for each other here as they do elsewhere.
Not responsible for when there is one, nor for what is in the pipe as it stops
(``nrunner.runners.capture``).
Portable: runs on Python 3.9 with the standard library alone, where there never is one, as it
takes Python 3.10 and Linux 5.1.
"""

from __future__ import annotations

import os
import select

__all__ = ["SPLICING", "Mover", "write_all"]


_splice = getattr(os, "splice", None)


def _splicing() -> bool:
    """Say whether there is a splice that minds that a pipe is not to be waited for."""
    if _splice is None:
        return False
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return all(map(str.isdigit, numbers)) and [*map(int, numbers)] >= [5, 1]


SPLICING = _splicing()
_MOST = 1 << 20
"""Bytes that are moved at once: as many as a large pipe holds."""


class Mover:
    """Moves until it is stopped, and what cannot be kept into nothing."""

    running = 0
    """How many there are in this process."""

    def __init__(self, reading: int, file: int) -> None:
        """Begin, with a pipe that does not block; raise OSError or RuntimeError."""
        import threading  # few agents ever need it

        self.moved = 0
        """Bytes so far."""
        self.trouble = ""
        """Why some of them could not be kept, or empty."""
        self._reading = reading
        self._file = file
        self._splices = True
        self._stopping = False
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC)
        try:
            self._thread = threading.Thread(target=self._run, name="mover", daemon=True)
            self._thread.start()
        except RuntimeError:
            self._close()
            raise
        Mover.running += 1

    def stop(self) -> None:
        """Return once nothing is moved any more."""
        self._stopping = True
        os.write(self._wake, b"x")
        self._thread.join()
        self._close()
        Mover.running -= 1

    def _close(self) -> None:
        os.close(self._woken)
        os.close(self._wake)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        poll.register(self._reading, select.POLLIN)
        while not self._stopping:
            poll.poll()
            try:
                self.moved += self._move()
            except BlockingIOError:
                pass

    def _move(self) -> int:
        if _splice is not None and self._splices:
            try:
                moved: int = _splice(self._reading, self._file, _MOST)
                return moved
            except BlockingIOError:
                raise
            except OSError:
                # Not into this file system, or there is no room: writing will tell.
                self._splices = False
        data = os.read(self._reading, _MOST)
        if not self.trouble:
            try:
                write_all(self._file, data)
            except OSError as error:
                self.trouble = str(error.strerror)
        return len(data)


def write_all(file: int, data: bytes) -> None:
    """Write all of it; raise OSError."""
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])
