"""Frames between controller and agent: one line of JSON, then as many raw bytes as it says.

A frame is a JSON object of at most 1 MiB on one line; where it has ``"body": n``, n bytes follow
the newline. An oversize or malformed frame costs that frame, not the connection. What frames
mean is said in docs/protocol.md; not responsible for that, nor for reading from sockets.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from nrunner.errors import ProtocolError
from nrunner.record import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MAX_BODY", "MAX_HEAD", "PROTOCOL_VERSION", "Frame", "FrameReader", "encode"]

PROTOCOL_VERSION = 1
MAX_HEAD = 1 << 20
"""Longest line of JSON, in bytes."""
MAX_BODY = 1 << 20
"""Longest body, in bytes: larger ones are sent in pieces."""


# One encoder for all frames: json.dumps would make a new one for each.
_dump = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True)
class Frame:
    """One frame; `body` is empty where it has none."""

    head: dict[str, Any]
    body: bytes = b""


def encode(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return a frame as bytes; raise ProtocolError if it would be refused by the peer."""
    if body:
        head = {**head, "body": len(body)}
    elif head.get("body"):
        raise ProtocolError("frame promises a body that it does not have")
    line = _dump(head).encode("ascii")
    if len(line) > MAX_HEAD or len(body) > MAX_BODY:
        raise ProtocolError(f"frame of {len(line)} and {len(body)} bytes is larger than allowed")
    return line + b"\n" + body


class FrameReader:
    """Cuts a byte stream into frames; counts those it refuses.

    `loads` decodes one line and raises ValueError for what is not JSON. The first frame may be
    bounded more narrowly: `first` bytes, and no body.
    """

    def __init__(
        self, loads: Callable[[bytes], Any] = json.loads, first: int | None = None
    ) -> None:
        self.refused = 0
        self._loads = loads
        self._most_head = MAX_HEAD if first is None else first
        self._most_body = MAX_BODY if first is None else 0
        self._buffer = bytearray()
        self._scanned = 0
        self._skipping = False
        self._head: dict[str, Any] | None = None
        self._body = 0
        self._skip = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes as they come; return the frames that are now complete, in order."""
        self._buffer += data
        frames: list[Frame] = []
        start = 0
        while True:
            if self._skip:
                step = min(self._skip, len(self._buffer) - start)
                self._skip -= step
                start += step
            if self._head is not None:
                if len(self._buffer) - start < self._body:
                    break
                end = start + self._body
                frames.append(Frame(self._head, bytes(self._buffer[start:end])))
                self._head = None
                start = end
                continue
            end = self._buffer.find(b"\n", max(start, self._scanned))
            if end < 0:
                break
            line = bytes(self._buffer[start:end])
            start = end + 1
            self._line(line, frames)
        self._keep(start)
        return frames

    def _keep(self, start: int) -> None:
        del self._buffer[:start]
        if self._head is None and (self._skipping or len(self._buffer) > self._most_head):
            self._skipping = True
            self._buffer.clear()
        self._scanned = len(self._buffer)

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if self._skipping:
            self._skipping = False
            self.refused += 1
            return
        if len(line) > self._most_head:
            self.refused += 1
            return
        try:
            head = self._loads(line)
        except (ValueError, RecursionError):
            self.refused += 1
            return
        if not isinstance(head, dict):
            self.refused += 1
            return
        size = head.get("body", 0)
        if type(size) is not int or size < 0:
            self.refused += 1
        elif size == 0:
            frames.append(Frame(head))
            self._most_head, self._most_body = MAX_HEAD, MAX_BODY
        elif size <= self._most_body:
            self._head, self._body = head, size
        else:
            # What follows is no frame, whatever it looks like.
            self.refused += 1
            self._skip = size
