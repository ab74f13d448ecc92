"""A line between a controller and an agent, for tests: it can be cut, be silent, be slow.

Not responsible for what is said over it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from nrunner.errors import LinkError

__all__ = ["Line"]

Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[None]]


class Line:
    """What happens to all connections over it, now and later."""

    def __init__(self) -> None:
        self.is_down = False
        """Whether nobody can connect."""
        self.is_silent = False
        """Whether what is sent vanishes, in both directions, and nobody is told."""
        self.delay = 0.0
        """Seconds that bytes are on their way."""
        self.rate = 0.0
        """Bytes a second in each direction, 0 for as many as there are."""
        self.connections = 0
        """How many there were."""
        self.received = self.sent = 0
        """How many bytes arrived here, and there."""
        self._open: set[_End] = set()
        self._news = asyncio.Event()

    def cut(self) -> None:
        """End all connections, as if a cable were drawn: what is on its way is lost."""
        for end in [*self._open]:
            end.cut()

    def cut_for(self, seconds: float) -> None:
        """Cut it, and have it down for a while."""
        self.is_down = True
        self.cut()
        asyncio.get_running_loop().call_later(seconds, self.restore)

    async def wait_received(self, more: int) -> None:
        """Wait until so many more bytes have arrived here."""
        until = self.received + more
        while self.received < until:
            await self._wait()

    async def wait_sent(self, more: int) -> None:
        """Wait until so many more bytes have arrived there."""
        until = self.sent + more
        while self.sent < until:
            await self._wait()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    def restore(self) -> None:
        """Have it as it was at first."""
        self.is_down = self.is_silent = False
        self.delay = self.rate = 0.0

    async def connect(self, connect: Connect, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect by `connect`, with the line in between; raise LinkError."""
        if self.is_down:
            raise LinkError("reach the agent: the line is down")
        self.connections += 1
        await connect(lambda: _End(self, factory()))

    def arrived(self, *, here: int = 0, there: int = 0) -> None:
        """Count bytes that arrived."""
        self.received += here
        self.sent += there
        self._news.set()

    def note(self, end: _End, *, is_open: bool) -> None:
        """Note an end of a connection."""
        if is_open:
            self._open.add(end)
        else:
            self._open.discard(end)


class _End(asyncio.Protocol):
    """The end of a connection where the controller is."""

    def __init__(self, line: Line, protocol: asyncio.Protocol) -> None:
        self._line = line
        self._protocol = protocol
        self._transport: asyncio.Transport | None = None
        self._free = {"in": 0.0, "out": 0.0}
        """When each direction has room for more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._line.note(self, is_open=True)
        self._protocol.connection_made(_Front(self))

    def data_received(self, data: bytes) -> None:
        self._later("in", data, self._arrive)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def send(self, data: bytes) -> None:
        self._later("out", data, self._leave)

    def _end(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            self._line.note(self, is_open=False)
            self._protocol.connection_lost(None)

    def _later(self, way: str, data: bytes, then: Callable[[bytes], None]) -> None:
        line = self._line
        if line.is_silent:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        begins = max(now, self._free[way])
        takes = len(data) / line.rate if line.rate else 0.0
        self._free[way] = begins + takes
        wait = begins + takes + line.delay - now
        if wait > 0:
            loop.call_later(wait, then, data)
        else:
            then(data)

    def _arrive(self, data: bytes) -> None:
        if self._transport is not None and not self._line.is_silent:
            self._line.arrived(here=len(data))
            self._protocol.data_received(data)

    def _leave(self, data: bytes) -> None:
        if self._transport is not None and not self._line.is_silent:
            self._line.arrived(there=len(data))
            with contextlib.suppress(OSError):
                self._transport.write(data)


class _Front(asyncio.Transport):
    """What the controller takes for the connection."""

    def __init__(self, end: _End) -> None:
        super().__init__()
        self._end = end
        self._is_open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._end.send(bytes(data))

    def abort(self) -> None:
        self._is_open = False
        self._end.cut()

    def close(self) -> None:
        self.abort()

    def is_closing(self) -> bool:
        return not self._is_open
