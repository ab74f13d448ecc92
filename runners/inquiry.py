"""Asking a Python payload of ours where it is.

The answer comes through a named pipe that is there only while somebody asks, so nothing is open in
the payload before. Whether it can answer is read from the signals that it catches: a test may have
put another program in its place. Not responsible for the answer (``nrunner.runners.stack``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from nrunner.runners import killing, procfs
from nrunner.runners.loop import Loop
from nrunner.runners.procfs import Process
from nrunner.runners.stack import LONGEST_STACK, SUFFIX, TELL, TELL_STDERR

__all__ = ["ask"]

_WITHIN = 0.3
"""Seconds that a payload has to answer; one that computes outside of Python does not."""
_AND_THEN = 0.05
"""Seconds in which the other answer has arrived: it needs nothing of the payload's Python."""
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC

Answer = Callable[[str], None]


def ask(loop: Loop, process: Process, report: str, answer: Answer, *, by_force: bool) -> None:
    """Ask a process whose report goes to `report` for its stacks; call `answer` once.

    With an empty text where it did not answer. `by_force` has one that does not answer write to
    its standard error instead.
    """
    if process.state in "Tt" or not procfs.catches(process.pid, TELL):
        answer("")
        return
    try:
        _Inquiry(loop, process, report + SUFFIX, answer, by_force)
    except OSError:
        answer("")  # there is no place for a pipe


class _Inquiry:
    def __init__(
        self, loop: Loop, process: Process, path: str, answer: Answer, by_force: bool
    ) -> None:
        """Ask; raise OSError where there can be no pipe."""
        self._loop = loop
        self._process = process
        self._path = path
        self._answer = answer
        self._by_force = by_force
        self._text = b""
        self._pipe = _make_pipe(path)
        loop.watch(self._pipe, self._read)
        self._deadline = loop.after(_WITHIN, self._give_up)
        killing.signal_all([process], TELL)

    def _read(self) -> None:
        try:
            piece = os.read(self._pipe, LONGEST_STACK)
        except BlockingIOError:
            return
        self._text += piece
        if not piece or len(self._text) >= LONGEST_STACK:
            self._close()
            self._answer(self._text[:LONGEST_STACK].decode("utf-8", "replace"))

    def _give_up(self) -> None:
        self._close()
        process = self._process
        if not self._by_force or not procfs.catches(process.pid, TELL_STDERR):
            self._answer("")
            return
        killing.signal_all([process], TELL_STDERR)
        self._loop.after(_AND_THEN, lambda: self._answer(""))

    def _close(self) -> None:
        self._deadline.cancel()
        self._loop.unwatch(self._pipe)
        try:
            if os.path.samestat(os.fstat(self._pipe), os.lstat(self._path)):
                os.unlink(self._path)  # and not that of another inquiry
        except OSError:
            pass
        os.close(self._pipe)


def _make_pipe(path: str) -> int:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    os.mkfifo(path, 0o600)
    pipe = os.open(path, _READ)
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        os.close(pipe)
        raise OSError(f"{path}: not the pipe that was made")
    return pipe
