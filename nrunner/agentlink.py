"""One connection to an agent: its bytes, cut into frames, and handed to whoever speaks with it.

Not responsible for what frames mean, nor for having another connection when this one is lost
(``nrunner.keptlink``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from nrunner.runners.wire import Frame, FrameReader

__all__ = ["AgentLink", "Taker"]

_load = msgspec.json.Decoder().decode


class Taker(Protocol):
    """Who speaks with an agent."""

    def connected(self, link: AgentLink) -> None:
        """A connection is there: nobody has said anything yet."""
        ...

    def take(self, link: AgentLink, frames: Sequence[Mapping[str, Any]]) -> None:
        """Frames have come; what follows one is its field ``body``."""
        ...

    def lost(self, link: AgentLink) -> None:
        """A connection has ended."""
        ...


class AgentLink(asyncio.Protocol):
    """Bytes from the agent, cut into frames."""

    def __init__(self, taker: Taker) -> None:
        self.is_greeted = False
        self.heard = 0
        """How often something came."""
        self._taker = taker
        self._reader = FrameReader(_decoded)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have the agent greeted."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._taker.connected(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come."""
        self.heard += 1
        frames = self._reader.feed(data)
        if frames:
            self._taker.take(self, [_with_body(frame) for frame in frames])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that it is over."""
        self._taker.lost(self)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        assert self._transport is not None
        self._transport.write(data)

    def abort(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.abort()


def _with_body(frame: Frame) -> Mapping[str, Any]:
    return {**frame.head, "body": frame.body} if frame.body else frame.head


def _decoded(line: bytes) -> Any:
    try:
        return _load(line)
    except ValueError:
        # Names that are no valid text arrive as escapes that only this one takes.
        return json.loads(line)
