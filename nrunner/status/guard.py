"""Who may use the control API, and how it says no.

On a unix socket the peer's user decides; on TCP the token, and the Host and Origin headers, so
that no web page can reach it through a browser. Errors are JSON. Imports aiohttp: only for
``app``. Not responsible for what the API does.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from nrunner.errors import NrunnerError
from nrunner.status.document import to_text
from nrunner.status.keys import Keys
from nrunner.status.listener import is_allowed_peer
from nrunner.status.view import JobOver

__all__ = ["SAFE", "SESSION", "errors_as_json", "make_guard", "shown_token"]

SESSION = "/api/v1/session"
SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of what is data: no browser makes more of it."""

_NAMES = ("127.0.0.1", "[::1]", "localhost")
_GOES_WITHOUT_SAYING = 80
"""The port that browsers leave out."""


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into ``{"error": {"code": ..., "message": ...}}``."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {key: error.headers[key] for key in _KEPT if key in error.headers}
        return _answer(error.status, error.text or error.reason, headers)
    except ConnectionError:
        return web.Response()  # nobody is left to be told anything
    except JobOver as error:
        return _answer(409, f"could not {error}", {})
    except NrunnerError as error:
        return _answer(500, f"could not {error}", {})
    except Exception as error:
        message = f"control API failed on {request.method} {request.path}"
        context = {"message": message, "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
        return _answer(500, "internal error; the job goes on", {})


_KEPT = ("Allow", "Content-Range", "WWW-Authenticate")


def _answer(code: int, message: str, headers: dict[str, str]) -> web.Response:
    text = to_text({"error": {"code": code, "message": message}})
    headers = {**SAFE, **headers}
    return web.Response(status=code, text=text, content_type="application/json", headers=headers)


def make_guard(
    keys: Keys | None, note_question: Callable[[asyncio.BaseTransport], None]
) -> Middleware:
    """Return the middleware that lets in only who may, and notes the connections of those.

    `keys` know what TCP peers have to show. A page holds no data, and who asks for a session has
    no token yet: these are open to whoever reaches them.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        peer = None if transport is None else transport.get_extra_info("socket")
        if peer is None:
            raise web.HTTPForbidden(text="the connection is gone")
        if peer.family == socket.AF_UNIX:
            if not is_allowed_peer(peer):
                raise web.HTTPForbidden(text="this job belongs to another user")
        else:
            _check_headers(request, peer.getsockname()[1])
            if not _is_open(request):
                _check_token(request, keys)
        if transport is not None:
            note_question(transport)
        return await handler(request)

    return guard


def _check_headers(request: web.Request, port: int) -> None:
    hosts = {f"{name}:{port}" for name in _NAMES}
    if port == _GOES_WITHOUT_SAYING:
        hosts.update(_NAMES)
    if request.headers.get("Host", "").lower() not in hosts:
        raise web.HTTPForbidden(text="header Host names neither 127.0.0.1, [::1] nor localhost")
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() not in {f"http://{host}" for host in hosts}:
        raise web.HTTPForbidden(text="header Origin names another site")


def _is_open(request: web.Request) -> bool:
    """Whether what answers is a page, or makes a session: which route it is, however it is written.

    The pattern of every page ends with a slash, and no other does.
    """
    resource = request.match_info.route.resource
    if resource is None:
        return False
    if request.method == "POST":
        return resource.canonical == SESSION
    return resource.canonical.endswith("/")


def shown_token(request: web.Request) -> str:
    """Return the token that a request shows; empty if it shows none."""
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else ""


def _check_token(request: web.Request, keys: Keys | None) -> None:
    if keys is None or not keys.fits(shown_token(request)):
        raise web.HTTPUnauthorized(
            text='header "Authorization: Bearer TOKEN" is missing or wrong',
            headers={"WWW-Authenticate": "Bearer"},
        )
