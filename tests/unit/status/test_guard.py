from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from nrunner.status.guard import _check_headers


@pytest.mark.parametrize(
    ("port", "host", "origin"),
    [
        (8080, "localhost:8080", "http://localhost:8080"),
        (8080, "[::1]:8080", None),
        (80, "localhost", "http://localhost"),
        (80, "127.0.0.1", None),
        (80, "127.0.0.1:80", "http://127.0.0.1:80"),
    ],
)
def test_who_names_this_machine_is_let_in(port: int, host: str, origin: str | None) -> None:
    """Browsers leave out the port that goes without saying."""
    _ask(port, host, origin)


@pytest.mark.parametrize(
    ("port", "host", "origin"),
    [
        (8080, "localhost", None),
        (8080, "localhost:80", None),
        (8080, "localhost:8080", "http://localhost"),
        (80, "evil.example", None),
        (80, "localhost", "http://evil.example"),
        (80, "localhost", "https://localhost"),
        (80, "", None),
    ],
)
def test_who_names_another_machine_or_port_is_not(port: int, host: str, origin: str | None) -> None:
    with pytest.raises(web.HTTPForbidden):
        _ask(port, host, origin)


def _ask(port: int, host: str, origin: str | None) -> None:
    headers = {"Host": host} if origin is None else {"Host": host, "Origin": origin}
    _check_headers(make_mocked_request("GET", "/", headers=headers), port)
