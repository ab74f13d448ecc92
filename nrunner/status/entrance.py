"""The entrance of the control API: lets in so many at once, and nobody who has nothing to ask.

Works for whatever makes a protocol for each connection, so it knows nothing of HTTP. Not
responsible for who may use the API (``guard``).
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from weakref import WeakSet

__all__ = ["Entrance"]

_MOST = 1024
_SHARE = 8
"""The part of all descriptors that connections may take: one in so many."""
_ASK_WITHIN = 10.0
_RECOVERY = 1.0
"""Seconds until connections are accepted again after that failed, for want of descriptors say."""


class Entrance:
    """Accepts connections from listening sockets, and hands them on."""

    def __init__(self, *, ask_within: float = _ASK_WITHIN) -> None:
        self._ask_within = ask_within
        self._most = _affordable()
        self._factory: Callable[[], asyncio.Protocol] | None = None
        self._open: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._asked: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, factory: Callable[[], asyncio.Protocol], *listeners: socket.socket) -> None:
        """Accept connections from sockets that do not block; give each a protocol by `factory`."""
        self._factory = factory
        self._listeners += listeners
        for listener in listeners:
            self._listen(listener)

    def close(self) -> None:
        """Accept no more."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.remove_reader(listener)
        self._listeners.clear()

    def note_question(self, transport: asyncio.BaseTransport) -> None:
        """Note that somebody has asked for something, and may stay."""
        self._asked.add(transport)

    def _listen(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # the peer goes on waiting, and would wake us for nothing
            loop.remove_reader(listener)
            loop.call_later(_RECOVERY, self._listen, listener)
            return
        if self._count() >= self._most:
            connection.close()
            return
        connection.setblocking(False)
        task = loop.create_task(self._admit(connection), name="control API: a connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self, connection: socket.socket) -> None:
        assert self._factory is not None
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(self._factory, connection)
        self._open.add(transport)
        loop.call_later(self._ask_within, self._expect_question, transport)

    def _count(self) -> int:
        return sum(not each.is_closing() for each in self._open) + len(self._tasks)

    def _expect_question(self, transport: asyncio.Transport) -> None:
        if transport not in self._asked:
            transport.abort()


def _affordable() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    return _MOST if unlimited else max(1, min(_MOST, soft // _SHARE))
