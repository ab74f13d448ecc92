"""Receiver: a status server of a few lines, for tests of what sends status messages.

Not responsible for judging what comes; it keeps the bytes of each connection as they came.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Receiver", "receiving"]

_MARK = bytearray(b"the receiver itself")


class Receiver:
    """Listens on a unix socket and keeps what each connection sent until it was closed."""

    def __init__(self, path: Path) -> None:
        self.uri = str(path)
        self._streams: list[bytearray] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.uri)
        self._listener.listen()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def streams(self) -> list[bytes]:
        """What came so far, a connection each."""
        return [bytes(stream) for stream in self._streams if stream != _MARK]

    def messages(self) -> list[dict[str, Any]]:
        """Wait for all connections to be closed; return the messages of all, decoded."""
        self._pass_the_queue()
        for thread in list(self._threads):
            thread.join(30)
            assert not thread.is_alive(), "a connection was not closed"
        return [json.loads(line) for stream in self.streams for line in stream.splitlines()]

    def close(self) -> None:
        """Stop listening."""
        # Closing alone would not wake the thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(30)

    def _pass_the_queue(self) -> None:
        """Wait until whoever has connected by now is being read."""
        count = self._streams.count(_MARK)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(self.uri)
            last.sendall(_MARK)
        until = time.monotonic() + 30
        while self._streams.count(_MARK) == count:
            assert time.monotonic() < until, "the receiver does not read"
            time.sleep(0.001)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            stream = bytearray()
            self._streams.append(stream)
            thread = threading.Thread(target=_read, args=(connection, stream), daemon=True)
            self._threads.append(thread)
            thread.start()


@contextmanager
def receiving(path: Path) -> Iterator[Receiver]:
    """Listen on `path` for as long as the block runs."""
    receiver = Receiver(path)
    try:
        yield receiver
    finally:
        receiver.close()


def _read(connection: socket.socket, stream: bytearray) -> None:
    with connection:
        while data := connection.recv(1 << 20):
            stream += data
