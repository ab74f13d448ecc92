"""An environment as the controller sees it: its agent's stream, and what is said over it.

Connects, says hello, sends orders, numbers and acknowledges events, reconnects while the
environment lives. Frames are described in docs/protocol.md. Not responsible for how the
environment came to be (spawners) nor for what an event leads to (``nrunner.scheduler``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from nrunner.errors import LinkError, ProtocolError, RequirementError
from nrunner.runnable import Requirement
from nrunner.runners.wire import PROTOCOL_VERSION, FrameReader, encode
from nrunner.spawners.base import Handle

__all__ = ["Environment"]

_HELLO_WITHIN = 15.0
_CLOSE_WITHIN = 10.0
_RECONNECTS = (0.05, 0.2, 0.5, 1.0, 2.0)

_encode = msgspec.json.Encoder().encode


class Environment:
    """The conversation with one agent."""

    def __init__(
        self,
        place: str,
        handle: Handle,
        settings: Mapping[str, Any],
        on_events: Callable[[Environment, Sequence[Mapping[str, Any]]], None],
        *,
        epoch: int = 1,
    ) -> None:
        self.place = place
        self.hello: Mapping[str, Any] = {}
        self._handle = handle
        self._settings = settings
        self._on_events = on_events
        self._epoch = epoch
        self._seen = 0
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._replies: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._requests = 0
        self._greeted = asyncio.Event()
        self._cut = asyncio.Event()
        self._refusal = ""
        self._is_closing = False

    async def open(self) -> None:
        """Reach the agent and greet it; raise LinkError."""
        await self._connect()

    async def wait_gone(self) -> str:
        """Keep the link up for as long as the environment lives; return how it ended."""
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(self._keep_link(), name=f"link to {self.place}")
            why = await self._handle.wait_gone()
            keeper.cancel()
        for future in self._replies.values():
            if not future.done():
                future.set_exception(LinkError(why))
        return self._refusal or why

    def run_nowait(self, order: Mapping[str, Any]) -> None:
        """Order an attempt; answered by events."""
        self._send(_encode({"type": "run", **order}) + b"\n")

    def cancel_nowait(self, task: int, attempt: int, *, kill: bool, detail: str) -> None:
        """Order the end of an attempt; answered by its events."""
        head = {"task": task, "attempt": attempt, "kill": kill, "detail": detail}
        self._send(encode({"type": "cancel", **head}))

    async def probe(self, kinds: Sequence[str]) -> Mapping[str, bool]:
        """Ask which kinds have a runner there; raise LinkError."""
        reply = await self._ask({"type": "probe", "kinds": list(kinds)})
        found: Mapping[str, bool] = reply["kinds"]
        return found

    async def fulfil(self, requirement: Requirement, fields: Mapping[str, Any]) -> None:
        """Have a requirement fulfilled; raise RequirementError with the reason, or LinkError."""
        head = {"type": "fulfil", "requirement": requirement.to_json(), **fields}
        reply = await self._ask(head)
        if not reply.get("met"):
            raise RequirementError(str(reply.get("error", "no reason was given")))

    async def close(self) -> None:
        """Have the agent end everything and leave; destroy the environment if it does not."""
        self._is_closing = True
        self._send(encode({"type": "shutdown"}))
        self._flush()
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._handle.wait_gone()
        except TimeoutError:
            pass
        finally:
            if self._transport is not None:
                self._transport.abort()
            await self._handle.destroy()

    # The link.

    async def _connect(self) -> None:
        self._greeted.clear()
        self._cut.clear()
        await self._handle.connect(lambda: _Link(self))
        try:
            async with asyncio.timeout(_HELLO_WITHIN):
                await self._greeted.wait()
        except TimeoutError as error:
            raise LinkError(f"hear from the agent within {_HELLO_WITHIN:g} s") from error
        if self._refusal:
            raise LinkError(f"take over the agent: {self._refusal}")

    async def _keep_link(self) -> None:
        while True:
            await self._cut.wait()
            for pause in _RECONNECTS:
                await asyncio.sleep(pause)
                try:
                    await self._connect()
                except LinkError:
                    continue
                break
            else:
                await self._handle.destroy()
                return

    def connected(self, transport: asyncio.Transport) -> None:
        """Greet the agent: called by the link."""
        self._transport = transport
        hello = {
            "type": "hello",
            "protocol": PROTOCOL_VERSION,
            "token": self._handle.token,
            "epoch": self._epoch,
            "acknowledged": self._seen,
        }
        settings = {"type": "settings", **self._settings}
        transport.write(encode(hello) + encode(settings))

    def lost(self) -> None:
        """Note that the link is down: called by the link."""
        self._transport = None
        if not self._is_closing:
            self._cut.set()

    def take(self, frames: Sequence[Mapping[str, Any]]) -> None:
        """Take frames as they arrive, a batch at a time: called by the link."""
        events = []
        for head in frames:
            kind = head.get("type")
            if kind == "event" and head["seq"] > self._seen:
                self._seen = head["seq"]
                events.append(head)
            elif kind == "reply":
                self._take_reply(head)
            elif kind == "hello":
                self.hello = head
                self._greeted.set()
            elif kind == "refused":
                self._refusal = str(head.get("reason"))
                self._greeted.set()
        if events:
            self._on_events(self, events)
            self._send(b'{"type":"ack","seq":%d}\n' % self._seen)

    def _take_reply(self, head: Mapping[str, Any]) -> None:
        future = self._replies.pop(head.get("request", 0), None)
        if future is not None and not future.done():
            future.set_result(head)

    async def _ask(self, head: Mapping[str, Any]) -> Mapping[str, Any]:
        self._requests += 1
        number = self._requests
        future = asyncio.get_running_loop().create_future()
        self._replies[number] = future
        try:
            self._send(encode({**head, "request": number}))
            reply: Mapping[str, Any] = await future
        finally:
            self._replies.pop(number, None)
        if "kinds" not in reply and "met" not in reply and "error" not in reply:
            raise ProtocolError(f"understand the reply {reply}")
        return reply

    def _send(self, data: bytes) -> None:
        """Send with whatever else this turn of the loop has to say."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if self._transport is not None and data:
            self._transport.write(data)


class _Link(asyncio.Protocol):
    """Bytes from the agent, cut into frames."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._reader = FrameReader(msgspec.json.decode)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._environment.connected(transport)

    def data_received(self, data: bytes) -> None:
        frames = self._reader.feed(data)
        if frames:
            self._environment.take([frame.head for frame in frames])

    def connection_lost(self, exc: Exception | None) -> None:
        self._environment.lost()
