"""The endpoints of the control API for one job: what is asked, and the answer.

Sees the job through ``view`` alone. Imports aiohttp: only for ``app`` and ``gallery``. Not
responsible for routes, nor for who may use it (``guard``).
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from aiohttp import web

from nrunner.errors import UsageError
from nrunner.offload import offload
from nrunner.status.document import job_document, task_document, to_text
from nrunner.status.guard import SAFE
from nrunner.status.log_file import LogFile, Part, is_range, part_of
from nrunner.status.openapi import describe
from nrunner.status.query import TaskQuery, check_names, truth, whole_number
from nrunner.status.stream import EventStreams
from nrunner.status.view import JobView, TaskView

__all__ = ["ENDPOINTS", "PREFIX", "Api", "answer"]

PREFIX = "/api/v1"
ENDPOINTS = (
    ("GET", "/job", "job"),
    ("GET", "/tasks", "tasks"),
    ("GET", "/tasks/{number}", "task"),
    ("GET", "/tasks/{number}/log/{stream}", "log"),
    ("POST", "/tasks/{number}/cancel", "cancel_task"),
    ("POST", "/cancel", "cancel_job"),
    ("GET", "/events", "events"),
    ("GET", "/openapi.json", "openapi"),
)
"""Method, path below the prefix, and name of the method of ``Api``."""

_SCAN = 500
"""Tasks looked at before other work on the loop gets its turn."""
_CHUNK = 256 * 1024
_OLDEST = 5.0
"""Seconds: no page of tasks is kept for longer, whoever would take it."""
_PAGES = 128


def answer(document: Any, status: int = 200) -> web.Response:
    """Return an answer in JSON."""
    return _as_it_is(to_text(document), status)


def _as_it_is(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json", headers=SAFE)


def _age_accepted(request: web.Request) -> float:
    """Return how old an answer may be, in seconds, by the request's own word."""
    found = re.search(r"max-age=([0-9]{1,3})\b", request.headers.get("Cache-Control", ""))
    return min(float(found[1]), _OLDEST) if found else 0.0


class Api:
    """One method per endpoint."""

    def __init__(self, view: JobView, streams: EventStreams) -> None:
        self._view = view
        self._streams = streams
        self._pages: dict[TaskQuery, tuple[float, str]] = {}
        """Pages made a moment ago, for those who take them so: many who come at once."""

    async def job(self, request: web.Request) -> web.Response:
        """Answer with the job."""
        document = job_document(self._view.job(), self._view.newest())
        return answer({**document, "clock": time.monotonic(), "over": self._view.is_over()})

    async def tasks(self, request: web.Request) -> web.Response:
        """Answer with a page of tasks."""
        try:
            query = TaskQuery.of(request.query)
        except UsageError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return _as_it_is(await self._page(query, _age_accepted(request)))

    async def _page(self, query: TaskQuery, age: float) -> str:
        """Return a page of tasks: one that was made before, if it may be so old."""
        now = time.monotonic()
        self._pages = {key: page for key, page in self._pages.items() if now - page[0] < _OLDEST}
        known = self._pages.get(query)
        if known is not None and now - known[0] < age:
            return known[1]
        # Whoever goes on from here with events misses none, and may hear some twice.
        newest = self._view.newest()
        found, following = await self._search(query)
        tasks = [task_document(task) for task in found]
        text = to_text({"tasks": tasks, "next": following, "events": newest})
        if age and len(self._pages) < _PAGES:
            self._pages[query] = (now, text)
        return text

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
        """Answer with one task."""
        return answer(task_document(self._task(request)))

    async def cancel_task(self, request: web.Request) -> web.Response:
        """Have one task cancelled."""
        task = self._task(request)
        if not self._view.cancel_task(task.number):
            raise web.HTTPConflict(text=f"task {task.number} has its verdict already")
        return answer({"cancelled": True}, 202)

    async def cancel_job(self, request: web.Request) -> web.Response:
        """Have the job cancelled."""
        try:
            check_names(request.query, ("kill",))
            kill = truth(request.query, "kill")
        except UsageError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        self._view.cancel_job(kill=kill)
        return answer({"cancelled": True}, 202)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send events as they happen."""
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
        """Send what a task has written, or the part that is asked for."""
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
        """Answer with the description."""
        return answer(describe())

    def _task(self, request: web.Request) -> TaskView:
        text = request.match_info["number"]
        number = whole_number(text)
        task = None if number is None else self._view.task(number)
        if task is None:
            raise web.HTTPNotFound(text=f"no task {text[:60]!r} in this job")
        return task


async def _send_log(request: web.Request, log: LogFile) -> web.StreamResponse:
    """Send a log, or a part of it; nothing to who has it as it is already."""
    if request.headers.get("If-None-Match") == log.tag:
        return web.Response(status=304, headers={**_LOG_HEADERS, "ETag": log.tag})
    wanted = request.headers.get("Range", "")
    is_part = is_range(wanted) and request.headers.get("If-Range", log.tag) == log.tag
    part = part_of(wanted if is_part else None, log.size)
    if part is None:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{log.size}"})
    response = web.StreamResponse(headers={**_LOG_HEADERS, "ETag": log.tag})
    response.content_length = part.stop - part.start
    if is_part:
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


# Output is a test's own: a browser must neither guess a type for it nor run it. It may be kept,
# and has to be asked about each time.
_LOG_HEADERS = {
    **SAFE,
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Security-Policy": "sandbox",
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-cache",
}
