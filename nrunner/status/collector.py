"""The collector: streams of status messages in, batches of accepted messages out.

A thin shell of sockets around ``line`` (cutting) and ``intake`` (checking). No peer can raise an
error here or make it hold more than its budget. Not responsible for what messages mean.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import partial

from nrunner.status.intake import Intake, Refusal, Sink
from nrunner.status.line import Budget, Line, Lines
from nrunner.status.listener import is_allowed_peer
from nrunner.status.token import matches, token_of_line

__all__ = ["Collector", "CollectorStatistics"]

_READ = 128 * 1024
_SLICE = 1_000
"""Lines handled before other work on the loop gets its turn."""
_TOKEN_LINE = 4096
_TOKEN_SECONDS = 10.0
_BUDGET = 256 * 1024 * 1024
_CONNECTIONS = 4096
_SETTLING = 5
"""Turns of the loop in which asyncio accepts what waits (4 suffice) and announces it to us."""


@dataclass(frozen=True, slots=True)
class CollectorStatistics:
    """What the collector's connections did so far."""

    connections: int
    open: int
    turned_away: int
    """Connections that were refused: wrong token, foreign user, or too many at once."""
    bytes: int
    held: int
    """Bytes of incomplete lines held now, beyond what each connection may hold freely."""


class Collector:
    """Accepts connections and passes on what their lines say."""

    def __init__(
        self, intake: Intake, sink: Sink, *, budget: int = _BUDGET, most: int = _CONNECTIONS
    ) -> None:
        self._intake = intake
        self._sink = sink
        self._most = most
        self._budget = Budget(budget)
        self._servers: list[asyncio.Server] = []
        self._open: set[_Connection] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._connections = self._turned_away = self._bytes = 0
        # One buffer serves all: the loop fills it and hands it over within one call.
        self._buffer = memoryview(bytearray(_READ))

    async def listen(self, listener: socket.socket, token: str | None = None) -> None:
        """Accept connections from a listening socket; with a token, only from those who show it."""
        loop = asyncio.get_running_loop()
        connection = partial(_Connection, self, token)
        if listener.family == socket.AF_UNIX:
            server = await loop.create_unix_server(connection, sock=listener, backlog=_SLICE)
        else:
            server = await loop.create_server(connection, sock=listener, backlog=_SLICE)
        self._servers.append(server)

    async def close(self, grace: float = 0.5) -> None:
        """Take in what peers have sent, waiting at most `grace` seconds for them to close."""
        # Peers that wait to be accepted, or are accepted but not announced yet, have a say, too.
        for _ in range(_SETTLING):
            await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        try:
            async with asyncio.timeout(grace):
                await self._none_open.wait()
        except TimeoutError:
            for connection in tuple(self._open):
                connection.abort()
            await self._none_open.wait()

    def statistics(self) -> CollectorStatistics:
        """Return what the connections did so far."""
        return CollectorStatistics(
            self._connections,
            len(self._open),
            self._turned_away,
            self._bytes,
            self._budget.held,
        )

    def lines(self) -> Lines:
        """Return the line cutter for one more connection."""
        return Lines(self._budget, self._too_long)

    def buffer(self) -> memoryview:
        """Return the buffer that is read into."""
        return self._buffer

    def handle(self, lines: list[Line]) -> None:
        """Pass on what `lines` say."""
        accepted = self._intake.take(lines)
        if accepted:
            self._sink(accepted)

    def read(self, size: int) -> bytes:
        """Return what was just read into the buffer."""
        self._bytes += size
        return bytes(self._buffer[:size])

    def opened(self, connection: _Connection) -> bool:
        """Register a connection, unless there are too many."""
        self._connections += 1
        if len(self._open) >= self._most:
            return False
        self._open.add(connection)
        self._none_open.clear()
        return True

    def closed(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        if not self._open:
            self._none_open.set()

    def turned_away(self) -> None:
        """Count a connection that was refused."""
        self._turned_away += 1

    def _too_long(self, beginning: Line) -> None:
        self._intake.refuse(Refusal.TOO_LONG, repr(bytes(beginning[:120])))


class _Connection(asyncio.BufferedProtocol):
    """One peer: proves itself if it has to, then sends lines."""

    _transport: asyncio.Transport

    def __init__(self, collector: Collector, token: str | None) -> None:
        self._collector = collector
        self._token = token
        self._proof = b""
        self._deadline: asyncio.TimerHandle | None = None
        self._lines = collector.lines()
        self._waiting: list[Line] = []
        self._admitted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("socket")
        foreign = peer.family == socket.AF_UNIX and not is_allowed_peer(peer)
        if foreign or not self._collector.opened(self):
            self._turn_away()
        elif self._token is None:
            self._admitted = True
        else:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(_TOKEN_SECONDS, self._turn_away)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._collector.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        data = self._collector.read(nbytes)
        if not self._admitted:
            data = self._prove(data)
        if data:
            self._waiting += self._lines.feed(data)
            self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_deadline()
        if self._admitted:
            self._collector.handle(self._waiting + self._lines.finish())
        self._waiting = []
        self._collector.closed(self)

    def abort(self) -> None:
        self._transport.abort()

    def _work(self) -> None:
        batch, self._waiting = self._waiting[:_SLICE], self._waiting[_SLICE:]
        if batch:
            self._collector.handle(batch)
        if self._waiting:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._work)
        else:
            self._transport.resume_reading()

    def _prove(self, data: bytes) -> bytes:
        """Look for the token's line; return what follows it once it is there and right."""
        if self._transport.is_closing() or self._token is None:
            return b""
        self._proof += data
        line, newline, rest = self._proof.partition(b"\n")
        if newline and matches(self._token, token_of_line(line)):
            self._proof = b""
            self._admitted = True
            self._end_deadline()
            return rest
        if newline or len(line) > _TOKEN_LINE:
            self._turn_away()
        return b""

    def _turn_away(self) -> None:
        self._collector.turned_away()
        self._proof = b""
        self._end_deadline()
        self._transport.abort()

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
