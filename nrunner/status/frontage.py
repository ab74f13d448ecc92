"""What a browser meets first: the page, without data, and the way from a link to a session.

Imports aiohttp: only for ``app`` and ``gallery``. Not responsible for how the page looks
(``nrunner.results.page``).
"""

from __future__ import annotations

import hashlib

from aiohttp import web

from nrunner.results.page import load_page
from nrunner.status.api import answer
from nrunner.status.guard import SAFE, SESSION, shown_token
from nrunner.status.keys import Keys

__all__ = ["add_page", "add_sessions"]


def add_page(app: web.Application, path: str, serves: str) -> None:
    """Serve the page; `serves` tells it what it finds here: a ``job`` or several ``jobs``."""
    page = load_page()
    text = page.head("nrunner", connects=True, serves=serves) + page.foot()
    headers = {
        **SAFE,
        "Content-Security-Policy": f"{page.policy(connects=True)}; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
        "ETag": f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"',
    }

    async def send(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(text=text, content_type="text/html", headers=headers)

    app.router.add_get(path, send, allow_head=False)


def add_sessions(app: web.Application, keys: Keys | None) -> None:
    """Offer to exchange the token of a link, and to make another link."""

    async def session(request: web.Request) -> web.Response:
        token = None if keys is None else keys.redeem(shown_token(request))
        if token is None:
            raise web.HTTPUnauthorized(
                text="this link was used already, or never was good: ask for another",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return answer({"token": token}, 201)

    async def link(request: web.Request) -> web.Response:
        if keys is None:
            raise web.HTTPConflict(text="nothing is served on TCP that a link could lead to")
        return answer({"token": keys.link()}, 201)

    app.router.add_post(SESSION, session)
    app.router.add_post("/api/v1/link", link)
