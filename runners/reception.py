"""The status socket of an attempt: messages of a payload that speaks for itself.

Reads the wire format of docs/protocol.md. Each attempt has a socket of its own, so none can speak
for another. A bad message is refused and counted; the connection lives. Not responsible for what
the end of a process means (``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import time
from collections.abc import Callable

from nrunner.errors import MessageError
from nrunner.messages import (
    FileData,
    Finished,
    Heartbeat,
    Log,
    Message,
    Output,
    Whiteboard,
    parse,
)
from nrunner.record import replace
from nrunner.runners.attempt import Attempt
from nrunner.runners.base import Outcome
from nrunner.runners.door import Door
from nrunner.runners.killing import MARK, job_of
from nrunner.runners.line import Budget, Line, Lines
from nrunner.runners.long_line import LongLine
from nrunner.runners.loop import Loop
from nrunner.runners.procfs import mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from nrunner.runners.vigil import Vigil

__all__ = ["Allowance", "Reception"]

_PIECE = 1 << 15
"""Bytes of one connection that are read before others have their turn."""
_LAST_WORDS = 0.25
"""Seconds for reading what an attempt that is over had sent."""
_FEW = 4
_CREDENTIALS = struct.Struct("3i")
_LONGEST_WHITEBOARD = 64 << 10
_LONGEST_PATH = 4096
"""In bytes, as kernels count it; to follow longer ones takes minutes."""
_DEEPEST = 64


class Allowance:
    """What the receptions of all attempts may use together."""

    def __init__(self, held: int = 128 << 20, connections: int = 512) -> None:
        self.budget = Budget(held)
        # Most of the descriptors are for what attempts need to run.
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.connections = connections if soft < 0 else min(connections, soft // 4)
        self.open = 0

    def has_room(self, own: int, strangers: int, *, is_own: bool) -> bool:
        """Whether an attempt that has so many connections may have one more.

        Each has a few, whatever others have; and few are for those who may be anybody.
        """
        if not is_own:
            return strangers < _FEW
        return own < _FEW or (self.open < self.connections and own < self.connections // 4)


class Reception:
    """Listens on a unix socket for what one attempt says."""

    allowance = Allowance()

    def __init__(
        self,
        loop: Loop,
        path: str,
        attempt: Attempt,
        on_finished: Callable[[Attempt], None],
    ) -> None:
        self.path = path
        self.refused = 0
        self.reason = ""
        """Why the first message was refused that was."""
        self.words = 0
        self.beats = 0
        """How many messages said something, and how many no more than that it runs."""
        self.vigil: Optional[Vigil] = None
        """Who watches for as long as we listen."""
        self._loop = loop
        self._attempt = attempt
        self._on_finished = on_finished
        self._door: Optional[Door] = None
        self._peers: dict[_Peer, bool] = {}
        """With whether each is seen to be one of the attempt's own processes."""

    @property
    def was_left(self) -> bool:
        """Whether somebody has said something, and nobody is connected any more."""
        return not self._peers and self.words > 0

    def open(self) -> None:
        """Begin to listen; raise OSError."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Closed to others from the first moment: the file's mode is that of the descriptor.
            os.fchmod(listener.fileno(), 0o600)
            listener.bind(self.path)
            listener.listen(512)
        except OSError:
            listener.close()
            raise
        self._door = Door(self._loop, listener, self._admit)

    def drain(self) -> None:
        """Take what was sent already: the last word of a runner that ended since."""
        until = time.monotonic() + _LAST_WORDS
        while self._door is not None and self._door.accept():
            pass
        for peer in list(self._peers):
            while peer.read() and time.monotonic() < until:
                pass

    def close(self) -> None:
        """Hear nothing more."""
        if self.vigil is not None:
            self.vigil.end()
        for peer in list(self._peers):
            peer.close()
        if self._door is not None:
            self._door.close()
            self._door = None
            try:
                os.unlink(self.path)
            except OSError:
                pass

    def summary(self) -> str:
        """Say for people what was refused; empty if nothing was."""
        if not self.refused:
            return ""
        count = f"{self.refused} status messages" if self.refused > 1 else "a status message"
        return f"refused {count} of {self._attempt.order.id}: {self.reason}"

    def blamed(self, outcome: Outcome) -> Outcome:
        """Return the outcome of an attempt, saying what was refused if its end was not heard."""
        if not self.refused or self._attempt.said is not None or not outcome.fail_reason:
            return outcome
        what = f"{self.refused} messages of it were" if self.refused > 1 else "a message of it was"
        reason = f"{outcome.fail_reason} ({what} refused: {self.reason})"
        return replace(outcome, fail_reason=reason)

    def _admit(self, connection: socket.socket) -> None:
        mark = _mark_of_peer(connection)
        is_own = mark == self._attempt.mark
        own = sum(self._peers.values())
        if not is_own and mark is not None and job_of(mark) == job_of(self._attempt.mark):
            reason = "another test speaks"
        elif not self.allowance.has_room(own, len(self._peers) - own, is_own=is_own):
            reason = "too many connections are open"
        else:
            self.allowance.open += 1
            lines = Lines(self.allowance.budget, self._too_long)
            self._peers[_Peer(self._loop, connection, lines, self.take, self._forget)] = is_own
            return
        self._refuse(reason)
        connection.close()

    def _forget(self, peer: _Peer) -> None:
        self._peers.pop(peer, None)
        self.allowance.open -= 1

    def take(self, line: Line) -> None:
        """Take one line of the wire format."""
        try:
            message = line.read(parse) if isinstance(line, LongLine) else parse(line)
            if message.task_id != self._attempt.order.id:
                raise MessageError("it is not about the task that has this socket")
            self._apply(self._attempt, message)
        except MessageError as error:
            self._refuse(str(error))
        except OSError as error:
            self._refuse(f"what it says cannot be kept: {error}")

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        self.reason = self.reason or reason

    def _too_long(self, _beginning: bytes) -> None:
        self._refuse("it is too long")

    def _apply(self, attempt: Attempt, message: Message) -> None:
        if isinstance(message, Heartbeat):
            self.beats += 1
            return
        self.words += 1
        log_dir = attempt.order.log_dir
        if isinstance(message, Finished):
            if attempt.said is not None:
                raise MessageError("finished twice")
            attempt.said = _outcome(message)
            self._on_finished(attempt)
        elif isinstance(message, Log):
            _append(f"{log_dir}/debug.log", message.data, b"\n")
        elif isinstance(message, Output):
            if not message.log_only:
                _append(f"{log_dir}/{message.stream}", message.data)
        elif isinstance(message, Whiteboard):
            _append(f"{log_dir}/whiteboard", message.data)
            # A character takes four bytes at most.
            text = message.data[: 4 * _LONGEST_WHITEBOARD].decode("utf-8", "replace")
            attempt.whiteboard = (attempt.whiteboard + text)[:_LONGEST_WHITEBOARD]
        elif isinstance(message, FileData):
            _append(_confined(attempt, message.path), message.data)


class _Peer:
    """A connection, cut into lines."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        lines: Lines,
        take: Callable[[Line], None],
        on_close: Callable[[_Peer], None],
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._lines = lines
        self._take = take
        self._on_close = on_close
        loop.watch(connection.fileno(), self.read)

    def read(self) -> bool:
        """Read a piece; return whether there may be more."""
        try:
            data = self._connection.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        for line in self._lines.feed(data) if data else ():
            if line:
                self._take(line)
        if not data:
            self.close()
        return bool(data)

    def close(self) -> None:
        """Take the last line, whether it has its newline or not, and hang up."""
        self._loop.unwatch(self._connection.fileno())
        self._connection.close()
        for line in self._lines.finish():
            self._take(line)
        self._on_close(self)


def _mark_of_peer(connection: socket.socket) -> Optional[str]:
    """Return the mark of the attempt to which the process at the other end belongs, if it has."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return mark_of(_CREDENTIALS.unpack(data)[0], MARK)


def _outcome(message: Finished) -> Outcome:
    return Outcome(
        message.result,
        message.fail_reason,
        message.returncode,
        message.class_name,
        message.fail_class,
        message.traceback,
    )


def _confined(attempt: Attempt, path: str) -> str:
    """Return the file in the attempt's output folder that a message names; raise MessageError."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:
        name = b""
    if not name or b"\0" in name or len(name) >= _LONGEST_PATH:
        raise MessageError('field "path": not the name of a file')
    if name.count(b"/") > _DEEPEST:  # os.makedirs calls itself for each
        raise MessageError(f'field "path": more than {_DEEPEST} folders deep')
    root = os.path.realpath(attempt.place.output_dir)
    target = os.path.realpath(os.path.join(root, path))
    if not target.startswith(root + "/"):
        raise MessageError('field "path": not inside the output folder')
    os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
    return target


def _append(path: str, *data: bytes) -> None:
    if any(data):
        # A test may have put a link or a pipe there: neither is followed nor waited for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(path, flags, 0o600), "ab") as file:
            file.writelines(data)
