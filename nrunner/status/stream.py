"""Events of a job as server-sent events.

A reader is a place in the job's history and nothing more: there is no queue that a slow one could
fill, and none of the events it has yet to get is lost. One that takes nothing for too long is
dropped; it comes back with ``Last-Event-ID``. Many readers are woken less often, and what is made
for one is sent to all who are at the same place: so their number costs the job next to nothing.
Imports aiohttp: only for ``app``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from aiohttp import web

from nrunner.status.document import event_text
from nrunner.status.view import ApiEvent, JobView

__all__ = ["EventStreams"]

_BATCH = 500
_PIECE = 64 * 1024
_READERS = 1024
_KEPT = 32
_KEPT_BYTES = 8 * 1024 * 1024
"""How much is kept for others who are at the same place, or will be."""
_FEW = 8
"""So many readers hear of each event at once."""
_PAUSE = 0.002
"""Seconds between two rounds for each reader beyond those."""
_LONGEST_PAUSE = 1.0
_ALIVE = b": alive\n\n"
_RESET = b'event: reset\ndata: {"reason": "no such event here: read all again"}\n\n'

_Batch = tuple[int, tuple[bytes, ...]]
"""The last event in it, and the events as they are sent."""


class EventStreams:
    """All readers of one job's events."""

    def __init__(self, view: JobView, *, alive: float = 15.0, stalled: float = 30.0) -> None:
        self._view = view
        self._alive = alive
        self._stalled = stalled
        self._wakers: set[asyncio.Event] = set()
        self._closing = False
        self._batches: dict[tuple[int, int], _Batch] = {}
        self._kept = 0
        self._horizon = 0
        """The newest event of this round: all readers see the same, however late their turn is."""
        self._round: asyncio.TimerHandle | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self.dropped = 0
        """Readers that took nothing for too long."""

    @property
    def open(self) -> int:
        """How many read now."""
        return len(self._wakers)

    def close(self) -> None:
        """Let every reader have what is there, then end."""
        self._closing = True
        self._wake_all()

    async def serve(self, request: web.Request, last: int) -> web.StreamResponse:
        """Send the events after `last`, and go on until the reader or the job is done."""
        if len(self._wakers) >= _READERS:
            raise web.HTTPServiceUnavailable(text=f"{_READERS} readers listen already")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        wake = asyncio.Event()
        self._add(wake)
        try:
            await response.prepare(request)
            await self._send_all(response, wake, last)
        except TimeoutError:
            self.dropped += 1
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._remove(wake)
        return response

    def _add(self, wake: asyncio.Event) -> None:
        self._wakers.add(wake)
        if self._unsubscribe is None:
            self._unsubscribe = self._view.subscribe(self._hear)
            self._horizon = self._view.newest()
        else:
            self._hear()

    def _remove(self, wake: asyncio.Event) -> None:
        self._wakers.discard(wake)
        if not self._wakers and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            self._batches.clear()
            self._kept = 0

    def _hear(self) -> None:
        """Have all readers woken: at once if they are few, soon if they are many."""
        many = len(self._wakers) - _FEW
        if many <= 0:
            self._wake_all()
        elif self._round is None:
            pause = min(many * _PAUSE, _LONGEST_PAUSE)
            self._round = asyncio.get_running_loop().call_later(pause, self._wake_all)

    def _wake_all(self) -> None:
        if self._round is not None:
            self._round.cancel()
            self._round = None
        if self._wakers:
            self._horizon = self._view.newest()
        for wake in self._wakers:
            wake.set()

    async def _send_all(self, response: web.StreamResponse, wake: asyncio.Event, last: int) -> None:
        await self._write(response, b"retry: 1000\n\n")
        while True:
            wake.clear()
            batch = self._after(last)
            if batch is None and last:
                last = 0
                await self._write(response, _RESET)
            elif batch is not None and batch[1]:
                last = batch[0]
                for piece in batch[1]:
                    await self._write(response, piece)
            elif self._closing:
                return
            else:
                await self._wait(response, wake)

    def _after(self, last: int) -> _Batch | None:
        """Return what follows an event, as it is sent; None if there never was such an event."""
        if self._horizon <= last <= self._view.newest():
            return last, ()
        key = (last, self._horizon)
        if key not in self._batches:
            most = min(_BATCH, max(1, self._horizon - last))
            events = self._view.events_after(last, most)
            if events is None:
                return None
            self._keep(key, (events[-1].id if events else last, tuple(_pieces(events))))
        return self._batches[key]

    def _keep(self, key: tuple[int, int], batch: _Batch) -> None:
        self._batches[key] = batch
        self._kept += _size(batch)
        while len(self._batches) > 1 and (len(self._batches) > _KEPT or self._kept > _KEPT_BYTES):
            self._kept -= _size(self._batches.pop(next(iter(self._batches))))

    async def _wait(self, response: web.StreamResponse, wake: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._alive):
                await wake.wait()
        except TimeoutError:
            await self._write(response, _ALIVE)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(self._stalled):
            await response.write(data)


def _size(batch: _Batch) -> int:
    return sum(map(len, batch[1]))


def _pieces(events: Iterable[ApiEvent]) -> Iterator[bytes]:
    piece = bytearray()
    for event in events:
        piece += event_text(event).encode("ascii")
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
