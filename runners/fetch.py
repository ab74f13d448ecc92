"""Fetching a file from where it is: over HTTP, or from a folder.

Nothing is resumed: a transfer that breaks off is worth nothing. No wait is without a bound. What a
URL holds that is secret is never shown. Not responsible for what becomes of the bytes.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from nrunner import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FetchError", "Take", "fetch", "file_path", "is_remote", "public"]

STALL = 30.0
"""Seconds for which nothing may come."""
_PIECE = 1 << 18

Take = Callable[[bytes], None]
"""Takes a piece of what is fetched."""


class FetchError(Exception):
    """Why a file could not be fetched from one location: a fragment without secrets."""


def is_remote(location: str) -> bool:
    """Whether a location is reached over a network."""
    return location.lower().startswith(("http://", "https://"))


def public(location: str) -> str:
    """Return a location as people may see it: without user, password, query and fragment."""
    if "://" not in location:
        return location
    scheme, _, rest = location.partition("://")
    plain = rest.partition("#")[0].partition("?")[0]
    host, slash, path = plain.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" + ("?..." if "?" in rest else "")


def fetch(
    location: str, base_dir: str, take: Take, *, stall: float = STALL, deadline: float | None = None
) -> None:
    """Hand what is at a location to `take`; raise FetchError.

    `deadline` is when it has to be done, by the monotonic clock.
    """
    if is_remote(location):
        _from_server(location, _bounded(take, deadline), stall)
    elif "://" in location and not location.lower().startswith("file://"):
        scheme = location.partition("://")[0]
        raise FetchError(f"{scheme!r} is not supported (http, https, file and paths are)")
    else:
        _from_file(file_path(location, base_dir), _bounded(take, deadline))


def file_path(location: str, base_dir: str) -> str:
    """Return the path that a location which is not remote stands for."""
    if location.lower().startswith("file://"):
        host, slash, path = location[len("file://") :].partition("/")
        if host not in ("", "localhost"):
            raise FetchError(f"files of another machine ({host}) cannot be reached")
        return slash + unquote(path)
    return os.path.join(base_dir, location)


def _bounded(take: Take, deadline: float | None) -> Take:
    if deadline is None:
        return take

    def taken_in_time(data: bytes) -> None:
        if time.monotonic() > deadline:
            raise FetchError("it takes too long")
        take(data)

    return taken_in_time


def _from_file(path: str, take: Take) -> None:
    try:
        # Never wait for whoever is to open the other end of a pipe.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise FetchError(_reason(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FetchError("it is no file")
        while True:
            piece = _read_file(fd)
            if not piece:
                return
            take(piece)
    finally:
        os.close(fd)


def _read_file(fd: int) -> bytes:
    try:
        return os.read(fd, _PIECE)
    except OSError as error:
        raise FetchError(_reason(error)) from error


def _from_server(url: str, take: Take, stall: float) -> None:
    from http.client import HTTPException

    try:
        with _opener().open(_request(url), timeout=stall) as response:
            expected, count = response.headers.get("Content-Length"), 0
            while True:
                piece = _read(response, count, stall)
                if not piece:
                    break
                count += len(piece)
                take(piece)
    except (OSError, HTTPException, ValueError) as error:
        raise FetchError(_what_is_wrong(error, stall)) from error
    if expected is not None and expected.isdigit() and count != int(expected):
        raise FetchError(f"it broke off after {count} of {expected} bytes")


def _read(response: Any, count: int, stall: float) -> bytes:
    from http.client import HTTPException

    try:
        piece: bytes = response.read1(_PIECE)
    except (OSError, HTTPException, ValueError) as error:
        if _is_timeout(error):
            raise FetchError(f"nothing came for {stall:g} s after {count} bytes") from error
        raise FetchError(f"it broke off after {count} bytes") from error
    return piece


def _opener() -> Any:
    """Return what knows HTTP and nothing else: no redirection leads to a file, say."""
    from urllib import request

    opener = request.OpenerDirector()
    names = ("ProxyHandler", "UnknownHandler", "HTTPHandler", "HTTPSHandler")
    more = ("HTTPDefaultErrorHandler", "HTTPRedirectHandler", "HTTPErrorProcessor")
    for name in (*names, *more):
        handler = getattr(request, name, None)  # there is no HTTPSHandler without ssl
        if handler is not None:
            opener.add_handler(handler())
    return opener


def _request(url: str) -> Any:
    from base64 import b64encode
    from urllib.request import Request

    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    plain = SplitResult(parts.scheme, host, parts.path, parts.query, "")
    headers = {"User-Agent": f"nrunner/{__version__}", "Accept-Encoding": "identity"}
    request = Request(urlunsplit(plain), headers=headers)
    if at:
        word = b64encode(unquote(user).encode()).decode()
        # Not for whoever we are redirected to.
        request.add_unredirected_header("Authorization", f"Basic {word}")
    return request


def _what_is_wrong(error: Exception, stall: float) -> str:
    from urllib.error import HTTPError, URLError

    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}".lower().replace("http", "HTTP", 1)
    if isinstance(error, URLError):
        if not isinstance(error.reason, Exception):
            return str(error.reason)
        error = error.reason
    if _is_timeout(error):
        return f"no answer within {stall:g} s"
    if isinstance(error, OSError):
        verify = getattr(error, "verify_message", "")
        return f"certificate: {verify}" if verify else _reason(error)
    # Other errors may quote the URL.
    return f"it cannot be understood ({type(error).__name__})"


def _is_timeout(error: Exception) -> bool:
    import socket

    return isinstance(error, (TimeoutError, socket.timeout))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
