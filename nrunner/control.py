"""Talking to a job that runs: requests to its control API, over its unix socket.

HTTP/1.0, since an answer then ends with its connection; so neither a library nor chunks are
needed. Not responsible for which job is meant (``nrunner.layout``), nor for whether it runs
(``nrunner.lock``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from nrunner.errors import NrunnerError
from nrunner.journal import decoded
from nrunner.record import dataclass

__all__ = ["ControlError", "Event", "EventParser", "Refused", "ask", "listen"]

_ANSWER_WITHIN = 20.0
"""Seconds; the first request has the controller load what answers it."""
_NEWS_WITHIN = 45.0
"""Seconds; when nothing happens something is sent every 15."""
_PIECE = 1 << 16
_BLANK = b"\r\n\r\n"


class ControlError(NrunnerError):
    """A job that runs cannot be talked to."""


class Refused(ControlError):
    """A job has said no: says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job; `id` counts the records of its journal."""

    id: int
    kind: str
    data: Mapping[str, Any]


def ask(path: Path, target: str, *, post: bool = False, within: float = _ANSWER_WITHIN) -> Any:
    """Return what the API says to a request; raise Refused or ControlError."""
    with _explained(path), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(within)
        peer.connect(os.fspath(path))
        peer.sendall(_request("POST" if post else "GET", target))
        answer = bytearray()
        while piece := peer.recv(_PIECE):
            answer += piece
    return _read_answer(path, bytes(answer))


async def listen(path: Path, after: int) -> AsyncGenerator[list[Event], None]:
    """Yield a job's events after one, as they come, until the job says no more.

    Raise ControlError if it cannot be heard; it may be asked again for what is missing.
    """
    parser = EventParser()
    with _explained(path):
        async with asyncio.timeout(_ANSWER_WITHIN):
            reader, writer = await asyncio.open_unix_connection(path)
    try:
        with _explained(path):
            async with asyncio.timeout(_ANSWER_WITHIN):
                writer.write(_request("GET", f"/events?after={after}"))
                head, rest = await _read_head(reader)
        _check(path, head, rest)
        while True:
            events = parser.feed(rest)
            if events:
                yield events
            with _explained(path):
                async with asyncio.timeout(_NEWS_WITHIN):
                    rest = await reader.read(_PIECE)
            if not rest:
                return
    finally:
        writer.close()


class EventParser:
    """Reads a stream of server-sent events from bytes as they come."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes."""
        # An event may be long and come in many pieces: none is looked at twice.
        seen = max(0, len(self._rest) - 1)
        self._rest += data
        end = self._rest.rfind(b"\n\n", seen)
        if end < 0:
            return []
        blocks = bytes(self._rest[:end]).split(b"\n\n")
        del self._rest[: end + 2]
        events = map(_event, blocks)
        return [each for each in events if each is not None]


def _event(block: bytes) -> Event | None:
    """Return an event; None for a comment, or what else a reader has to pass over."""
    fields = {}
    for line in block.split(b"\n"):
        name, _, value = line.partition(b": ")
        fields[name] = value
    try:
        return Event(int(fields[b"id"]), fields[b"event"].decode(), decoded(fields[b"data"]))
    except (KeyError, ValueError):
        return None


def _request(method: str, target: str) -> bytes:
    lines = (f"{method} /api/v1{target} HTTP/1.0", "Host: job", "Content-Length: 0")
    return "\r\n".join(lines).encode("ascii") + _BLANK


async def _read_head(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the head of an answer, and what came of its body by then."""
    data = b""
    while _BLANK not in data and (piece := await reader.read(_PIECE)):
        data += piece
    head, _, rest = data.partition(_BLANK)
    return head, rest


def _read_answer(path: Path, answer: bytes) -> Any:
    head, _, body = answer.partition(_BLANK)
    _check(path, head, body)
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise ControlError(f"understand the job at {path}: its answer is no JSON") from error


def _check(path: Path, head: bytes, body: bytes) -> None:
    """Raise unless an answer begins as that to a request which was carried out."""
    version, _, rest = head.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ControlError(f"understand the job at {path}: it broke off, or does not speak HTTP")
    if rest[:1] == b"2":
        return
    message = rest[:3].decode("ascii", "replace")
    with contextlib.suppress(msgspec.MsgspecError, KeyError, TypeError):
        message = msgspec.json.decode(body)["error"]["message"]
    raise Refused(message)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise ControlError(f"talk to the job at {path}: it does not answer") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ControlError(f"talk to the job at {path}: {reason.lower()}") from error
