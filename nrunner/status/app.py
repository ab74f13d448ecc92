"""The control API of one job as an HTTP application, with the page that shows it to people.

Imports aiohttp, which takes longer than a short job: only ``server`` imports this, when somebody
connects. Not responsible for sockets, for who may use it (``guard``), nor for answers (``api``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from nrunner.status.api import ENDPOINTS, PREFIX, Api
from nrunner.status.frontage import add_page, add_sessions
from nrunner.status.guard import errors_as_json, make_guard
from nrunner.status.keys import Keys
from nrunner.status.stream import EventStreams
from nrunner.status.view import JobView

__all__ = ["EventStreams", "make_app", "make_runner", "runner_of"]

_LARGEST = 256 * 1024


def make_runner(
    view: JobView,
    streams: EventStreams,
    keys: Keys | None,
    note_question: Callable[[asyncio.BaseTransport], None],
) -> web.AppRunner:
    """Return what serves the control API once it is given connections.

    `note_question` is told of each connection that has a request.
    """
    return runner_of(make_app(view, streams, keys, note_question))


def runner_of(app: web.Application) -> web.AppRunner:
    """Return what serves an application once it is given connections."""
    return web.AppRunner(
        app,
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
    keys: Keys | None,
    note_question: Callable[[asyncio.BaseTransport], None] = lambda transport: None,
) -> web.Application:
    """Return the application; `keys` know what peers on TCP have to show."""
    guard = make_guard(keys, note_question)
    app = web.Application(middlewares=[errors_as_json, guard], client_max_size=_LARGEST)
    api = Api(view, streams)
    add_page(app, "/", "job")
    add_sessions(app, keys)
    for method, path, name in ENDPOINTS:
        app.router.add_route(method, PREFIX + path, getattr(api, name))

    async def close_streams(_: web.Application) -> None:
        streams.close()

    app.on_shutdown.append(close_streams)
    return app
