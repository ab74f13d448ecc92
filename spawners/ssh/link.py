"""An SSH channel as asyncio's transports are: what comes is delivered on the event loop.

paramiko's channels block, so each has a thread that reads and one that writes. Not responsible for
what is at the other end of the channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from nrunner.errors import LinkError

if TYPE_CHECKING:
    from paramiko.channel import Channel

__all__ = ["ChannelLink"]

_PIECE = 1 << 16
_MOST = 8 << 20
"""Bytes that may wait for the event loop, until no more are read."""


class ChannelLink(asyncio.Transport):
    """One channel."""

    def __init__(
        self,
        channel: Channel,
        protocol: asyncio.Protocol,
        first: bytes,
        ended: Callable[[int], None],
    ) -> None:
        """`first` was read already. `ended` gets the exit status of what was executed.

        Raise LinkError where there can be no thread.
        """
        super().__init__()
        self._channel = channel
        self._protocol = protocol
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._is_over = False
        """Whether the channel is to be closed: not before we know how what is there ended."""
        self._lock = threading.Condition()
        self._inbox = bytearray(first)
        self._outbox = bytearray()
        self._channel.settimeout(None)
        try:
            for work in (self._read, self._write):
                threading.Thread(target=work, name="ssh channel", daemon=True).start()
        except RuntimeError as error:
            self._close_channel()
            raise LinkError(f"carry the agent's bytes: {error}") from error
        protocol.connection_made(self)
        if first:
            self._loop.call_soon(self._deliver)

    # On the event loop.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes, after those that wait already."""
        with self._lock:
            if self._is_open:
                self._outbox += data
                self._lock.notify_all()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return len(self._outbox)

    def abort(self) -> None:
        """Hang up."""
        self._leave()
        self._lose()

    def close(self) -> None:
        """Hang up."""
        self.abort()

    def is_closing(self) -> bool:
        """Whether nothing is delivered any more."""
        return not self._is_open

    def _lose(self) -> None:
        if self._is_open:
            with self._lock:
                self._is_open = False
                self._lock.notify_all()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def _deliver(self) -> None:
        with self._lock:
            data, self._inbox = bytes(self._inbox), bytearray()
            self._lock.notify_all()
        if self._is_open and data:
            self._protocol.data_received(data)

    # In threads.

    def _read(self) -> None:
        with contextlib.suppress(Exception):  # whatever it is, nothing more will come
            while self._is_open:
                piece = self._channel.recv(_PIECE)
                if not piece:
                    break
                self._take(piece)
        self._call(self._lose)
        status = -1
        with contextlib.suppress(Exception):
            status = self._channel.recv_exit_status()
        self._leave()
        self._call(self._ended, status)

    def _take(self, piece: bytes) -> None:
        with self._lock:
            while len(self._inbox) > _MOST and self._is_open:
                self._lock.wait()
            is_first = not self._inbox
            self._inbox += piece
        if is_first:
            self._call(self._deliver)

    def _write(self) -> None:
        with contextlib.suppress(Exception):  # the reader is told, too
            while True:
                with self._lock:
                    while not self._outbox and not self._is_over:
                        self._lock.wait()
                    data, self._outbox = bytes(self._outbox), bytearray()
                if self._is_over and not data:
                    break
                self._channel.sendall(data)
        self._close_channel()

    def _leave(self) -> None:
        with self._lock:
            self._is_over = True
            self._lock.notify_all()

    def _close_channel(self) -> None:
        with contextlib.suppress(Exception):
            self._channel.close()

    def _call(self, what: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(what, *args)
