"""One peer of the collector: shows a token if it has to, then sends lines.

Pure but for carrying its socket: bytes in, lines out. Not responsible for reading from the socket
(``collector``), nor for what is in a line (``intake``).
"""

from __future__ import annotations

import asyncio
import socket

from nrunner.runners.line import Line, Lines
from nrunner.status.token import matches, token_of_line

__all__ = ["Peer"]

_TOKEN_LINE = 4096


class Peer:
    """A connection, and what it has sent of an incomplete line."""

    def __init__(self, connection: socket.socket, lines: Lines, token: str | None) -> None:
        self.connection = connection
        self.deadline: asyncio.TimerHandle | None = None
        """When it is turned away, unless it has shown the token by then."""
        self._lines = lines
        self._token = token
        self._shown = b""

    @property
    def admitted(self) -> bool:
        """Whether it has shown the token, or need not."""
        return self._token is None

    def feed(self, data: bytes) -> list[Line] | None:
        """Return the lines that `data` completes; None if the token it shows is wrong."""
        if self._token is None:
            return self._lines.feed(data)
        self._shown += data
        line, newline, rest = self._shown.partition(b"\n")
        if newline and matches(self._token, token_of_line(line)):
            self._token, self._shown = None, b""
            return self._lines.feed(rest)
        return None if newline or len(line) > _TOKEN_LINE else []

    def finish(self) -> list[Line]:
        """Return the line that the end of the stream completes, if there is one."""
        return self._lines.finish() if self.admitted else []
