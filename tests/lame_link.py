"""A link that is slow, or stops, or breaks: a proxy for TCP, since not each kernel has netem.

Not responsible for links that are cut without a word (`tests.duts`): here, both ends have a kernel
that acknowledges what it gets.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator

__all__ = ["LameLink", "lame_link"]

_PIECE = 1 << 14


class LameLink:
    """A port of this machine behind which there is another address; its faults may be changed."""

    def __init__(self, address: str, port: int) -> None:
        self._target = (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._flows = threading.Event()
        self._flows.set()
        self._sockets: set[socket.socket] = set()
        self.address, self.port = self._listener.getsockname()[:2]
        self.delay = 0.0
        """Seconds that each byte takes, in each direction."""
        self.rate = 0.0
        """Bytes a second and direction; 0 for as many as there are."""
        self.carried = 0
        """Bytes so far, in both directions."""
        self.connections = 0
        """How often somebody has connected so far."""
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Keep whatever comes until it is told to flow again."""
        self._flows.clear()

    def flow(self) -> None:
        """Pass on what comes, and what came."""
        self._flows.set()

    def break_off(self) -> None:
        """Break all connections that there are; new ones are let in."""
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Break all connections and let none in."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.flow()
        self.break_off()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            far = socket.create_connection(self._target, timeout=20)
            far.settimeout(None)
            with far:
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets |= {near, far}
                both = [
                    threading.Thread(target=self._carry, args=ends, daemon=True)
                    for ends in ((near, far), (far, near))
                ]
                for each in both:
                    each.start()
                for each in both:
                    each.join()
                self._sockets -= {near, far}

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        """Take bytes in and let a second thread deliver them when their time has come."""
        underway: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        deliverer = threading.Thread(target=self._deliver, args=(underway, target), daemon=True)
        deliverer.start()
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                underway.put((time.monotonic() + self.delay, piece))
        underway.put((time.monotonic() + self.delay, b""))
        deliverer.join()

    def _deliver(self, underway: queue.SimpleQueue[tuple[float, bytes]], to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, piece = underway.get()
                time.sleep(max(0.0, due - time.monotonic()))
                self._flows.wait()
                if not piece:
                    break
                if self.rate:
                    time.sleep(len(piece) / self.rate)
                to.sendall(piece)
                self.carried += len(piece)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def lame_link(address: str, port: int) -> Iterator[LameLink]:
    """Give a link to an address, and close it in the end."""
    link = LameLink(address, port)
    try:
        yield link
    finally:
        link.close()
