"""Several jobs on one page: those that run answer for themselves, the others from their journals.

Imports aiohttp: only for ``nrunner jobs serve``. Not responsible for the answers
(``nrunner.status.api``), nor for who may ask (``nrunner.status.guard``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web
from yarl import URL

from nrunner.errors import NrunnerError
from nrunner.layout import JobFolder, id_of, short_id
from nrunner.lock import JobState, JobStatus, state_of
from nrunner.offload import offload
from nrunner.pastview import PastView
from nrunner.status.api import ENDPOINTS, PREFIX, Api, answer
from nrunner.status.document import job_document
from nrunner.status.frontage import add_page, add_sessions
from nrunner.status.guard import errors_as_json, make_guard
from nrunner.status.keys import Keys
from nrunner.status.stream import EventStreams

__all__ = ["make_gallery"]

_PASSED_ON = ("If-None-Match", "If-Range", "Last-Event-ID", "Range")
_OF_CONNECTIONS = {"connection", "date", "keep-alive", "server", "transfer-encoding"}
_ANSWER_WITHIN = ClientTimeout(total=None, sock_connect=10.0)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_gallery(
    find: Callable[[], Sequence[JobFolder]],
    keys: Keys,
    note_question: Callable[[asyncio.BaseTransport], None] = lambda transport: None,
) -> web.Application:
    """Return the application that shows the jobs that `find` finds each time the list is asked for.

    `keys` know what peers have to show.
    """
    app = web.Application(middlewares=[errors_as_json, make_guard(keys, note_question)])
    gallery = _Gallery(find)
    add_page(app, "/", "jobs")
    add_page(app, "/jobs/{job}/", "jobs")
    add_sessions(app, keys)
    app.router.add_get(f"{PREFIX}/jobs", gallery.jobs)
    for method, path, name in ENDPOINTS:
        handler = partial(gallery.pass_on, name, path)
        app.router.add_route(method, f"/jobs/{{job}}{PREFIX}{path}", handler)
    return app


class _Gallery:
    """The jobs that are shown, by their short ids."""

    def __init__(self, find: Callable[[], Sequence[JobFolder]]) -> None:
        self._find = find
        self._folders: dict[str, JobFolder] = {}
        self._past: dict[str, tuple[tuple[int, int, str], PastView]] = {}

    async def jobs(self, request: web.Request) -> web.Response:
        """Answer with all jobs, the latest first."""
        await self._look()
        found = []
        for short in reversed(self._folders):
            try:
                found.append(await self._listed(short))
            except (NrunnerError, ClientError, OSError) as error:
                name = self._folders[short].root.name
                nothing = {"results": {}, "total": 0, "command": []}
                found.append({"short": short, "name": name, "state": str(error), **nothing})
        return answer({"jobs": found})

    async def _look(self) -> None:
        folders = await offload(self._find)
        self._folders = {short_id(id_of(folder)): folder for folder in folders}

    async def _listed(self, short: str) -> dict[str, Any]:
        folder = self._folders[short]
        status = state_of(folder)
        socket = folder.control_socket
        if status.state is JobState.RUNNING and socket is not None:
            document = await _asked(socket)
        else:
            document = job_document((await self._view(short, status)).job(), 0)
        kept = {key: document[key] for key in ("results", "total", "command", "time_start")}
        return {"short": short, "name": folder.root.name, "state": status.state.value, **kept}

    async def pass_on(self, name: str, path: str, request: web.Request) -> web.StreamResponse:
        """Have a job answer: itself if it runs and hears, its journal else."""
        short = request.match_info["job"]
        if short not in self._folders:
            await self._look()
        folder = self._folders.get(short)
        if folder is None:
            raise web.HTTPNotFound(text=f"no job {short[:60]!r} is shown here")
        status = state_of(folder)
        socket = folder.control_socket
        if status.state is JobState.RUNNING and socket is not None:
            found = {name: quote(value, safe="") for name, value in request.match_info.items()}
            return await _proxied(request, socket, PREFIX + path.format_map(found))
        try:
            view = await self._view(short, status)
        except FileNotFoundError as error:
            if status.is_over:
                raise web.HTTPNotFound(text="the journal of the job is gone") from error
            raise web.HTTPServiceUnavailable(text="the job is just starting; ask again") from error
        streams = EventStreams(view)
        streams.close()  # nothing follows what is there
        handler: Handler = getattr(Api(view, streams), name)
        return await handler(request)

    async def _view(self, short: str, status: JobStatus) -> PastView:
        """Return a job from its journal, which is read again if it has changed."""
        folder = self._folders[short]
        found = folder.journal.stat()
        why = "" if status.is_over else status.reason or "it is just starting"
        state = (found.st_size, found.st_mtime_ns, why)
        known = self._past.get(short)
        if known is None or known[0] != state:
            if known is not None:
                known[1].close()
            known = self._past[short] = (state, await offload(PastView, folder, why))
        return known[1]


async def _asked(socket: Path) -> dict[str, Any]:
    async with _client(socket) as client, client.get(f"http://job{PREFIX}/job") as response:
        document: dict[str, Any] = await response.json()
        return document


def _client(socket: Path) -> ClientSession:
    connector = UnixConnector(path=str(socket))
    return ClientSession(connector=connector, timeout=_ANSWER_WITHIN, auto_decompress=False)


async def _proxied(request: web.Request, socket: Path, target: str) -> web.StreamResponse:
    """Hand a request on to a job that runs, and its answer back as it comes."""
    kept = {key: request.headers[key] for key in _PASSED_ON if key in request.headers}
    url = URL(f"http://job{target}", encoded=True).with_query(request.query)
    response = web.StreamResponse()
    try:
        async with (
            _client(socket) as client,
            client.request(request.method, url, headers=kept) as theirs,
        ):
            response.set_status(theirs.status)
            for key, value in theirs.headers.items():
                if key.lower() not in _OF_CONNECTIONS:
                    response.headers[key] = value
            await response.prepare(request)
            async for piece in theirs.content.iter_any():
                await response.write(piece)
    except (ClientError, OSError) as error:
        if not response.prepared:
            raise web.HTTPServiceUnavailable(text="the job is just ending; ask again") from error
        if request.transport is not None:
            request.transport.abort()
    return response
