"""The control API: a job and its tasks over HTTP.

Imports aiohttp, which takes longer than a short job: only ``server`` imports this, when somebody
connects. Sees the job through ``view`` alone. Not responsible for sockets, nor for who may use
it (``guard``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web

from nrunner.errors import UsageError
from nrunner.offload import offload
from nrunner.status.document import job_document, task_document, to_text
from nrunner.status.guard import errors_as_json, make_guard
from nrunner.status.log_file import LogFile, Part, part_of
from nrunner.status.openapi import describe
from nrunner.status.query import TaskQuery, check_names, truth, whole_number
from nrunner.status.stream import EventStreams
from nrunner.status.view import JobView, TaskView

__all__ = ["make_app", "make_runner"]

_PREFIX = "/api/v1"
_SCAN = 500
"""Tasks looked at before other work on the loop gets its turn."""
_CHUNK = 256 * 1024


def make_runner(
    view: JobView,
    streams: EventStreams,
    token: str | None,
    note_question: Callable[[asyncio.BaseTransport], None],
) -> web.AppRunner:
    """Return what serves the control API once it is given connections.

    `note_question` is told of each connection that has a request.
    """
    return web.AppRunner(
        make_app(view, streams, token, note_question),
        access_log=None,
        logger=_silent(),
        handle_signals=False,
        handler_cancellation=True,
        shutdown_timeout=1.0,
        # Nobody has to send us more than a line: who goes on is not listened to, nor waited for.
        lingering_time=0.0,
    )


def _silent() -> logging.Logger:
    """Return where aiohttp tells of requests that are none: their sender is answered."""
    logger = logging.getLogger("nrunner.status.http")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def make_app(
    view: JobView,
    streams: EventStreams,
    token: str | None,
    note_question: Callable[[asyncio.BaseTransport], None] = lambda transport: None,
) -> web.Application:
    """Return the application; `token` is what peers on TCP have to show."""
    guard = make_guard(token, note_question)
    app = web.Application(middlewares=[errors_as_json, guard], client_max_size=_CHUNK)
    api = _Api(view, streams)
    add = app.router.add_route
    add("GET", f"{_PREFIX}/job", api.job)
    add("GET", f"{_PREFIX}/tasks", api.tasks)
    add("GET", f"{_PREFIX}/tasks/{{number}}", api.task)
    add("GET", f"{_PREFIX}/tasks/{{number}}/log/{{stream}}", api.log)
    add("POST", f"{_PREFIX}/tasks/{{number}}/cancel", api.cancel_task)
    add("POST", f"{_PREFIX}/cancel", api.cancel_job)
    add("GET", f"{_PREFIX}/events", api.events)
    add("GET", f"{_PREFIX}/openapi.json", api.openapi)

    async def close_streams(_: web.Application) -> None:
        streams.close()

    app.on_shutdown.append(close_streams)
    return app


class _Api:
    """One method per endpoint."""

    def __init__(self, view: JobView, streams: EventStreams) -> None:
        self._view = view
        self._streams = streams

    async def job(self, request: web.Request) -> web.Response:
        return _json(job_document(self._view.job()))

    async def tasks(self, request: web.Request) -> web.Response:
        try:
            query = TaskQuery.of(request.query)
        except UsageError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        found, following = await self._search(query)
        return _json({"tasks": [task_document(task) for task in found], "next": following})

    async def _search(self, query: TaskQuery) -> tuple[list[TaskView], int | None]:
        """Return the tasks that fit, and the number to start the next page with."""
        found: list[TaskView] = []
        start = query.start
        size = _SCAN if query.filters else query.limit + 1
        while batch := self._view.tasks(start, size):
            for task in batch:
                if len(found) == query.limit:
                    return found, task.number
                if query.fits(task):
                    found.append(task)
            start = batch[-1].number + 1
            await asyncio.sleep(0)
        return found, None

    async def task(self, request: web.Request) -> web.Response:
        return _json(task_document(self._task(request)))

    async def cancel_task(self, request: web.Request) -> web.Response:
        task = self._task(request)
        if not self._view.cancel_task(task.number):
            raise web.HTTPConflict(text=f"task {task.number} has its verdict already")
        return _json({"cancelled": True}, 202)

    async def cancel_job(self, request: web.Request) -> web.Response:
        try:
            check_names(request.query, ("kill",))
            kill = truth(request.query, "kill")
        except UsageError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        self._view.cancel_job(kill=kill)
        return _json({"cancelled": True}, 202)

    async def events(self, request: web.Request) -> web.StreamResponse:
        try:
            check_names(request.query, ("after",))
        except UsageError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        text = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
        last = whole_number(text)
        if last is None:
            raise web.HTTPBadRequest(text="Last-Event-ID: expected the number of an event")
        return await self._streams.serve(request, last)

    async def log(self, request: web.Request) -> web.StreamResponse:
        task = self._task(request)
        stream = request.match_info["stream"]
        if stream not in ("stdout", "stderr"):
            raise web.HTTPNotFound(text=f"no log {stream[:60]!r}: only stdout and stderr")
        path = self._view.log_path(task.number, stream)
        if path is None:
            raise web.HTTPNotFound(text=f"task {task.number} has no {stream} yet")
        try:
            log = LogFile(self._view.job().folder, path)
        except OSError as error:
            raise web.HTTPNotFound(text=f"task {task.number} has no readable {stream}") from error
        try:
            return await _send_log(request, log)
        finally:
            log.close()

    async def openapi(self, request: web.Request) -> web.Response:
        return _json(describe())

    def _task(self, request: web.Request) -> TaskView:
        text = request.match_info["number"]
        number = whole_number(text)
        task = None if number is None else self._view.task(number)
        if task is None:
            raise web.HTTPNotFound(
                text=f"no task {request.match_info['number'][:60]!r} in this job"
            )
        return task


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(
        text=to_text(document),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def _send_log(request: web.Request, log: LogFile) -> web.StreamResponse:
    part = part_of(request.headers.get("Range"), log.size)
    if part is None:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{log.size}"})
    response = web.StreamResponse(headers=_LOG_HEADERS)
    response.content_length = part.stop - part.start
    if "Range" in request.headers:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{log.size}"
    await response.prepare(request)
    await _send_part(request, response, log, part)
    return response


async def _send_part(
    request: web.Request, response: web.StreamResponse, log: LogFile, part: Part
) -> None:
    start = part.start
    while start < part.stop:
        data = await offload(log.read, start, min(_CHUNK, part.stop - start))
        if not data:  # the payload has cut its file since: the rest that was promised is gone
            if request.transport is not None:
                request.transport.abort()
            return
        await response.write(data)
        start += len(data)


# Output is a test's own: a browser must neither guess a type for it nor run it.
_LOG_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox",
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-store",
}
