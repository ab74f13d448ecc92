"""The agent's status socket: messages of payloads that speak for themselves.

Reads the wire format of docs/protocol.md. A bad message is refused and counted; the connection
lives. Not responsible for what the end of a process means (``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Optional

from nrunner.errors import MessageError
from nrunner.messages import (
    FileData,
    Finished,
    Log,
    Message,
    Output,
    Whiteboard,
    parse,
)
from nrunner.runners.attempt import Attempt
from nrunner.runners.base import Outcome
from nrunner.runners.loop import Loop

__all__ = ["Reception"]

_LONGEST_LINE = 256 << 20
_PIECE = 1 << 18
_MOST_LEFT = 2 << 20
"""More than the kernel keeps of what was written to a socket and not read."""
_LONGEST_WHITEBOARD = 64 << 10


class Reception:
    """Listens on a unix socket and hands each message to the attempt it is about."""

    def __init__(
        self,
        loop: Loop,
        path: str,
        speakers: Mapping[str, Attempt],
        on_finished: Callable[[Attempt], None],
    ) -> None:
        self.path = path
        self.refused = 0
        self._loop = loop
        self._speakers = speakers
        self._on_finished = on_finished
        self._listener: Optional[socket.socket] = None
        self._lines: set[_Line] = set()

    def open(self) -> None:
        """Begin to listen; done once the first payload that speaks is about to start."""
        if self._listener is None:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(self.path)
            os.chmod(self.path, 0o600)
            listener.listen(512)
            listener.setblocking(False)
            self._listener = listener
            self._loop.watch(listener.fileno(), self._accept)

    def drain(self) -> None:
        """Take what was sent already: the last word of a runner that ended since.

        What a process leaves in its socket when it ends fits into a few pieces.
        """
        while self._accept():
            pass
        for line in list(self._lines):
            for _ in range(_MOST_LEFT // _PIECE):
                if not line.read():
                    break

    def _accept(self) -> bool:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return False
        connection.setblocking(False)
        self._lines.add(_Line(self._loop, connection, self.take, self._lines.discard))
        return True

    def take(self, line: bytes) -> None:
        """Take one line of the wire format."""
        try:
            message = parse(line)
            attempt = self._speakers.get(message.task_id)
            if attempt is None:
                raise MessageError("no such task runs here")
            self._apply(attempt, message)
        except (MessageError, OSError):
            self.refused += 1

    def _apply(self, attempt: Attempt, message: Message) -> None:
        log_dir = attempt.order.log_dir
        if isinstance(message, Finished):
            if attempt.said is not None:
                raise MessageError("finished twice")
            attempt.said = _outcome(message)
            self._on_finished(attempt)
        elif isinstance(message, Log):
            _append(f"{log_dir}/debug.log", message.data + b"\n")
        elif isinstance(message, Output):
            if not message.log_only:
                _append(f"{log_dir}/{message.stream}", message.data)
        elif isinstance(message, Whiteboard):
            _append(f"{log_dir}/whiteboard", message.data)
            text = attempt.whiteboard + message.data.decode("utf-8", "replace")
            attempt.whiteboard = text[:_LONGEST_WHITEBOARD]
        elif isinstance(message, FileData):
            _append(_confined(attempt, message.path), message.data)


class _Line:
    """A connection of one runner, cut into lines."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        take: Callable[[bytes], None],
        on_close: Callable[[_Line], None],
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._take = take
        self._on_close = on_close
        self._buffer = bytearray()
        self._skipping = False
        loop.watch(connection.fileno(), self.read)

    def read(self) -> bool:
        """Read a piece; return whether there may be more."""
        try:
            data = self._connection.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if data:
            self._cut(data)
        else:
            self._close()
        return bool(data)

    def _cut(self, data: bytes) -> None:
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._keep(tail)
            return
        lines = (bytes(self._buffer) + head).split(b"\n")
        self._buffer.clear()
        if self._skipping:
            self._skipping = False
            del lines[0]
        for line in lines:
            if line:
                self._take(line)
        self._keep(tail)

    def _keep(self, tail: bytes) -> None:
        self._buffer += tail
        if len(self._buffer) > _LONGEST_LINE:
            self._buffer.clear()
            self._skipping = True

    def _close(self) -> None:
        if self._buffer and not self._skipping:
            self._take(bytes(self._buffer))
        self._loop.unwatch(self._connection.fileno())
        self._connection.close()
        self._on_close(self)


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
    if not path or "\0" in path:
        raise MessageError('field "path": not the name of a file')
    root = os.path.realpath(attempt.place.output_dir)
    target = os.path.realpath(os.path.join(root, path))
    if not target.startswith(root + "/"):
        raise MessageError('field "path": not inside the output folder')
    os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
    return target


def _append(path: str, data: bytes) -> None:
    if data:
        # A test may have put a link or a pipe there: neither is followed nor waited for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(path, flags, 0o600), "ab") as file:
            file.write(data)
