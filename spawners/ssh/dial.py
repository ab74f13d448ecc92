"""Connecting to a port of a machine: bounded, cancellable at any moment, tried again where it pays.

Not responsible for what is said then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from nrunner.errors import LinkError
from nrunner.offload import offload
from nrunner.spawners.ssh.host import Host, label

__all__ = ["ATTEMPTS", "again", "dial"]

ATTEMPTS = 5
_FIRST_PAUSE = 0.5
_CONNECT_WITHIN = 8.0
_IDLE = 3
"""Seconds of silence after which the kernel asks whether the peer is there, and asks again."""
_SILENT_MOST = 10_000
"""Milliseconds after which a peer that acknowledges nothing counts as gone."""

_T = TypeVar("_T")


async def again(
    attempt: Callable[[], Awaitable[_T]], attempts: int = ATTEMPTS, pause: float = _FIRST_PAUSE
) -> _T:
    """Return what an attempt returns; one that raises LinkError is repeated, after longer pauses.

    Any other error is final: what was refused once will be refused again.
    """
    for left in reversed(range(attempts)):
        try:
            return await attempt()
        except LinkError as error:
            if not left:
                raise LinkError(f"{error}{_tried(attempts)}") from error
            await asyncio.sleep(pause)
            pause *= 2
    raise AssertionError("no attempt was asked for")


def _tried(attempts: int) -> str:
    return f" (tried {attempts} times)" if attempts > 1 else ""


async def dial(host: Host, within: float = _CONNECT_WITHIN) -> socket.socket:
    """Return a connected socket that notices within seconds when its peer is lost.

    Raise LinkError.
    """
    reach = f"reach {label(host)}"
    try:
        async with asyncio.timeout(within):
            found = await offload(
                socket.getaddrinfo, host.address, host.port, type=socket.SOCK_STREAM
            )
            return await _first(found)
    except TimeoutError as error:
        raise LinkError(f"{reach}: no answer within {within:g} s") from error
    except socket.gaierror as error:
        raise LinkError(f"{reach}: {error.strerror} (the address in its inventory)") from error
    except OSError as error:
        raise LinkError(f"{reach}: {error.strerror or error}") from error


async def _first(found: list[Any]) -> socket.socket:
    """Return a connection to the first address that takes one; raise OSError."""
    loop = asyncio.get_running_loop()
    trouble: OSError = OSError("it has no address")
    for family, sort, protocol, _, address in found:
        sock = socket.socket(family, sort, protocol)
        try:
            sock.setblocking(False)
            _tune(sock)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            # What asyncio says names the address, which is known.
            strerror = os.strerror(error.errno) if error.errno else str(error)
            trouble = OSError(error.errno, strerror)
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise trouble


def _tune(sock: socket.socket) -> None:
    # A request is smaller than a packet: without this each waits 40 ms for company.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _IDLE),
        ("TCP_KEEPINTVL", _IDLE),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", _SILENT_MOST),
    ):
        with contextlib.suppress(AttributeError, OSError):  # not every system has them
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
