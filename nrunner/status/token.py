"""Tokens that TCP peers show: made at random, compared in constant time.

Not responsible for how a token travels.
"""

from __future__ import annotations

import json

__all__ = ["make_token", "matches", "page_link", "token_line", "token_of_line"]


def make_token() -> str:
    """Return a new token that cannot be guessed."""
    import secrets

    return secrets.token_urlsafe(32)


def matches(token: str, shown: str) -> bool:
    """Whether `shown` is the token; takes as long whichever character differs."""
    import hmac

    return hmac.compare_digest(token.encode(), shown.encode("utf-8", "replace"))


def page_link(address: str, token: str) -> str:
    """Return a link to a page; what stands behind the ``#`` no browser sends to anybody."""
    return f"{address}/#token={token}"


def token_line(token: str) -> bytes:
    """Return the line that a peer sends first over TCP."""
    return json.dumps({"token": token}).encode("ascii") + b"\n"


def token_of_line(line: bytes) -> str:
    """Return the token a first line shows; empty if it shows none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    shown = data.get("token") if isinstance(data, dict) else None
    return shown if isinstance(shown, str) else ""
