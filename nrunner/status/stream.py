"""Events of a job as server-sent events.

A reader is a place in the job's history and nothing more: there is no queue that a slow one could
fill, and none of the events it has yet to get is lost. One that takes nothing for too long is
dropped; it comes back with ``Last-Event-ID``. Imports aiohttp: only for ``app``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from aiohttp import web

from nrunner.status.document import event_text
from nrunner.status.view import ApiEvent, JobView

__all__ = ["EventStreams"]

_BATCH = 500
_PIECE = 64 * 1024
_READERS = 64
_ALIVE = b": alive\n\n"
_RESET = b'event: reset\ndata: {"reason": "no such event here: read all again"}\n\n'


class EventStreams:
    """All readers of one job's events."""

    def __init__(self, view: JobView, *, alive: float = 15.0, stalled: float = 30.0) -> None:
        self._view = view
        self._alive = alive
        self._stalled = stalled
        self._wakers: set[asyncio.Event] = set()
        self._closing = False
        self.dropped = 0
        """Readers that took nothing for too long."""

    @property
    def open(self) -> int:
        """How many read now."""
        return len(self._wakers)

    def close(self) -> None:
        """Let every reader have what is there, then end."""
        self._closing = True
        for wake in self._wakers:
            wake.set()

    async def serve(self, request: web.Request, last: int) -> web.StreamResponse:
        """Send the events after `last`, and go on until the reader or the job is done."""
        if len(self._wakers) >= _READERS:
            raise web.HTTPServiceUnavailable(text=f"{_READERS} readers listen already")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        wake = asyncio.Event()
        self._wakers.add(wake)
        unsubscribe = self._view.subscribe(wake.set)
        try:
            await response.prepare(request)
            await self._send_all(response, wake, last)
        except TimeoutError:
            self.dropped += 1
            if request.transport is not None:
                request.transport.abort()
        finally:
            unsubscribe()
            self._wakers.discard(wake)
        return response

    async def _send_all(self, response: web.StreamResponse, wake: asyncio.Event, last: int) -> None:
        await self._write(response, b"retry: 1000\n\n")
        while True:
            wake.clear()
            events = self._view.events_after(last, _BATCH)
            if events is None and last:
                last = 0
                await self._write(response, _RESET)
            elif events:
                last = events[-1].id
                for piece in _pieces(events):
                    await self._write(response, piece)
            elif self._closing:
                return
            else:
                await self._wait(response, wake)

    async def _wait(self, response: web.StreamResponse, wake: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._alive):
                await wake.wait()
        except TimeoutError:
            await self._write(response, _ALIVE)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(self._stalled):
            await response.write(data)


def _pieces(events: Iterable[ApiEvent]) -> Iterator[bytes]:
    piece = bytearray()
    for event in events:
        piece += event_text(event).encode("ascii")
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
