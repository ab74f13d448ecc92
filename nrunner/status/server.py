"""The status server: opens its sockets before any task, closes them after the last.

Puts the collector and the control API together. The API's sockets listen from the start, but
aiohttp is imported only when somebody connects: a job that nobody watches does not pay for it.
Not responsible for messages (``collector``), HTTP (``app``), or the job behind ``view``.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrunner.offload import offload
from nrunner.record import dataclass
from nrunner.status.collector import Collector, CollectorStatistics
from nrunner.status.entrance import Entrance
from nrunner.status.intake import Intake, IntakeStatistics, Sink
from nrunner.status.listener import TcpOptions, listen_tcp, listen_unix, make_private_folder
from nrunner.status.view import JobView

if TYPE_CHECKING:
    from aiohttp import web

    from nrunner.status.keys import Keys
    from nrunner.status.stream import EventStreams

__all__ = ["CONTROL_SOCKET", "STATUS_SOCKET", "StatusServer", "StatusStatistics"]

STATUS_SOCKET = "status.sock"
CONTROL_SOCKET = "control.sock"
_LAST_QUESTIONS = 0.7
"""Seconds in which who watches a page may still ask for the end of an output."""


@dataclass(frozen=True, slots=True)
class StatusStatistics:
    """What the status server did so far."""

    collector: CollectorStatistics
    intake: IntakeStatistics
    api_loaded: bool
    event_readers: int
    event_readers_dropped: int

    def facts(self) -> dict[str, Any]:
        """Return what a report says of it: nothing if nobody ever came to the collector."""
        if not self.collector.connections:
            return {}
        refused = {reason.value: count for reason, count in self.intake.refused.items() if count}
        samples = {reason.value: list(texts) for reason, texts in self.intake.samples.items()}
        return {
            "connections": self.collector.connections,
            "turned_away": self.collector.turned_away,
            "accepted": self.intake.accepted,
            "refused": refused,
            "samples": samples,
        }


class StatusServer:
    """Collector and control API of one job, with sockets in a private `folder`.

    `known` and `job_id` are what ``Intake`` checks messages with; `sink` gets the accepted ones.
    """

    def __init__(
        self,
        folder: Path,
        view: JobView,
        known: Callable[[str], int | None],
        sink: Sink,
        *,
        job_id: str | None = None,
        collector_tcp: TcpOptions | None = None,
        control_tcp: TcpOptions | None = None,
    ) -> None:
        self.intake = Intake(known, job_id)
        self._folder = folder
        self._view = view
        self._collector = Collector(self.intake, sink)
        self._collector_tcp = collector_tcp
        self._control_tcp = control_tcp
        self.keys = None if control_tcp is None else _keys(control_tcp.token)
        """What opens the API on TCP, if it is there."""
        self._api = _LazyApi(view, self.keys)
        self._uris: list[str] = []
        self._control_uris: list[str] = []

    async def open(self, group: asyncio.TaskGroup) -> None:
        """Listen on all sockets; the API's own task belongs to `group` and ends by `close`."""
        make_private_folder(self._folder)
        try:
            self._open_collector()
            self._open_control()
        except BaseException:
            await self.close(grace=0)
            raise
        self._api.start(group)

    async def close(self, grace: float = 0.5) -> None:
        """Take in what was sent, let readers have the last events, and close all sockets."""
        await self._collector.close(grace)
        await self._api.linger(_LAST_QUESTIONS)
        await self._api.close()
        for name in (STATUS_SOCKET, CONTROL_SOCKET):
            (self._folder / name).unlink(missing_ok=True)

    @property
    def uris(self) -> Sequence[str]:
        """Where runners send messages: the socket's path, then ``host:port`` if TCP was asked."""
        return self._uris

    @property
    def control_uris(self) -> Sequence[str]:
        """Where the control API is: the socket's path, then ``http://host:port``."""
        return self._control_uris

    def statistics(self) -> StatusStatistics:
        """Return what happened so far."""
        streams = self._api.streams
        return StatusStatistics(
            self._collector.statistics(),
            self.intake.statistics(),
            streams is not None,
            0 if streams is None else streams.open,
            0 if streams is None else streams.dropped,
        )

    def _open_collector(self) -> None:
        path = self._folder / STATUS_SOCKET
        self._collector.listen(listen_unix(path))
        self._uris.append(str(path))
        if self._collector_tcp is not None:
            listener = listen_tcp(self._collector_tcp, loopback_only=False)
            self._collector.listen(listener, self._collector_tcp.token)
            self._uris.append(_address(listener))

    def _open_control(self) -> None:
        path = self._folder / CONTROL_SOCKET
        self._api.add(listen_unix(path))
        self._control_uris.append(str(path))
        if self._control_tcp is not None:
            listener = listen_tcp(self._control_tcp, loopback_only=True)
            self._api.add(listener)
            self._control_uris.append(f"http://{_address(listener)}")


class _LazyApi:
    """Sockets that wait for a first peer, and the API that is loaded for it."""

    def __init__(self, view: JobView, keys: Keys | None) -> None:
        self._view = view
        self._keys = keys
        self._listeners: list[socket.socket] = []
        self._somebody = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.streams: EventStreams | None = None

    def add(self, listener: socket.socket) -> None:
        self._listeners.append(listener)
        # The connection stays in the kernel's queue until aiohttp accepts it.
        asyncio.get_running_loop().add_reader(listener, self._somebody.set)

    def start(self, group: asyncio.TaskGroup) -> None:
        self._task = group.create_task(self._run(), name="control API")

    async def linger(self, seconds: float) -> None:
        """Let those who watch by TCP have the last events, and ask for what these tell of."""
        streams = self.streams
        if self._keys is not None and streams is not None and streams.open:
            streams.close()
            await asyncio.sleep(seconds)

    async def close(self) -> None:
        self._stop.set()
        self._somebody.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        self._stop_watching()
        for listener in self._listeners:
            listener.close()

    async def _run(self) -> None:
        await self._somebody.wait()
        self._stop_watching()
        if not self._stop.is_set():
            try:
                await self._serve()
            except Exception as error:  # whatever is wrong, the job goes on without the API
                context = {"message": "control API is not available", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)

    async def _serve(self) -> None:
        app = await offload(importlib.import_module, "nrunner.status.app")
        self.streams = app.EventStreams(self._view)
        entrance = Entrance()
        runner: web.AppRunner = app.make_runner(
            self._view, self.streams, self._keys, entrance.note_question
        )
        try:
            await runner.setup()
            assert runner.server is not None
            entrance.open(runner.server, *self._listeners)
            await self._stop.wait()
        finally:
            entrance.close()
            await runner.cleanup()

    def _stop_watching(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            if listener.fileno() >= 0:
                loop.remove_reader(listener)


def _keys(token: str) -> Keys:
    from nrunner.status.keys import Keys  # a job without TCP needs none

    return Keys(token)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
