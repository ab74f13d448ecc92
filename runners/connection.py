"""One connection of the agent: frames in, bytes out, never blocking.

Not responsible for what frames mean (``nrunner.runners.agent``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from nrunner.runners.loop import Loop
from nrunner.runners.wire import Frame, FrameReader

__all__ = ["Connection"]

_PIECE = 1 << 18
_FIRST = 1 << 16
"""Longest first frame, in bytes: it comes from somebody who has not shown the token yet."""


class Connection:
    """A non-blocking stream socket that belongs to the loop."""

    def __init__(
        self,
        loop: Loop,
        peer: socket.socket,
        on_frame: Callable[[Connection, Frame], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._peer = peer
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._reader = FrameReader(first=_FIRST)
        self._out = bytearray()
        self._is_open = True
        peer.setblocking(False)
        loop.watch(peer.fileno(), self._read)

    @property
    def pending(self) -> int:
        """How many bytes wait to be sent."""
        return len(self._out)

    def send(self, data: bytes) -> None:
        """Have bytes sent with the next `flush`."""
        self._out += data

    def flush(self) -> None:
        """Send what can be sent now; the rest follows when the peer has room."""
        if not self._out or not self._is_open:
            return
        try:
            sent = self._peer.send(self._out)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._lose()
            return
        del self._out[:sent]
        self._loop.watch_writing(self._peer.fileno(), self.flush if self._out else None)

    def close(self) -> None:
        """Close without telling anybody."""
        if self._is_open:
            self._is_open = False
            self._loop.unwatch(self._peer.fileno())
            self._peer.close()

    def _read(self) -> None:
        try:
            data = self._peer.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        for frame in self._reader.feed(data):
            if self._is_open:
                self._on_frame(self, frame)

    def _lose(self) -> None:
        if self._is_open:
            self.close()
            self._on_lost(self)
