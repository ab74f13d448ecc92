"""An environment as the controller sees it: its agent's stream, and what is said over it.

Says hello, sends orders, takes events in their order and acknowledges them, and says again what an
agent may not have got. Frames are described in docs/agent.md. Not responsible for the link itself
(``nrunner.keptlink``), for how the environment came to be (spawners), nor for what an event leads
to (``nrunner.scheduler``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from nrunner.agentlink import AgentLink
from nrunner.errors import NrunnerError, ProtocolError
from nrunner.inquiries import Inquiries
from nrunner.keptlink import KeptLink
from nrunner.runners.wire import MAX_HEAD, PROTOCOL_VERSION, encode
from nrunner.spawners.base import Handle

__all__ = ["Environment", "Key", "destroy", "run_frame"]

_CLOSE_WITHIN = 10.0
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What comes of a field that is missing or wrong."""
_LONGEST_TROUBLE = 1000
_dump = msgspec.json.Encoder().encode

Key = tuple[int, int]
"""Task and attempt."""


def run_frame(order: Mapping[str, Any]) -> bytes:
    """Return the frame that orders an attempt; raise ProtocolError if it is too large."""
    head = {"type": "run", **order}
    try:
        line = _dump(head)
    except UnicodeEncodeError:
        # A name that is no valid text: escaped, it gets through.
        return encode(head)
    if len(line) > MAX_HEAD:
        raise ProtocolError(f"order it: its description has {len(line)} bytes, {MAX_HEAD} at most")
    return line + b"\n"


async def destroy(handle: Handle, tell: Callable[[str], None]) -> None:
    """End an environment by force; have people told if something of it is left."""
    try:
        await handle.destroy()
    except NrunnerError as error:
        tell(f"could not {error}")


class Environment(KeptLink, Inquiries):
    """The conversation with one agent."""

    def __init__(
        self,
        place: str,
        handle: Handle,
        settings: Mapping[str, Any],
        on_events: Callable[[Environment, Sequence[Mapping[str, Any]]], bool],
        *,
        epoch: int = 1,
        orders: Mapping[Key, bytes] | None = None,
        on_missing: Callable[[frozenset[Key]], None] = lambda _here: None,
        on_notice: Callable[[str], None] = lambda _text: None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`epoch` is this controller's; `on_events` returns whether they can be acknowledged.

        `orders` are those of an earlier controller that may not have arrived; with them the
        environment is one that is taken over. `on_missing` is called after each greeting, once all
        that happened meanwhile is known, with the attempts that the agent had. `on_notice` is told
        of links that are lost for long, and found. `is_wanted` says whether anybody wants to know
        what comes of what runs there.
        """
        Inquiries.__init__(self)
        KeptLink.__init__(
            self, place, handle, settings.get("answer_deadline"), on_notice, is_wanted
        )
        self.hello: Mapping[str, Any] = {}
        self.is_replaced = False
        """Whether the agent has another controller now."""
        self._settings = settings
        self._on_events = on_events
        self._epoch = epoch
        self._on_missing = on_missing
        self._seen = 0
        self._is_strange = orders is not None
        """Whether an earlier controller has acknowledged some of its events."""
        self._orders: dict[Key, bytes] = dict(orders or {})
        """Sent, and not heard of yet."""
        self._cancels: dict[Key, bytes] = {}
        self._here: set[Key] | None = None
        """What the agent had when it was greeted, until what it never got is sent again."""

    async def wait_gone(self) -> str:
        """Keep the link up for as long as the environment lives; return how it ended."""
        why = await self._stay()
        self._fail_questions(why)
        return why

    def run_nowait(self, key: Key, frame: bytes) -> None:
        """Order an attempt by its `run_frame`; answered by events."""
        self._orders[key] = frame
        self._send(frame)

    def is_ordered(self, key: Key) -> bool:
        """Whether an attempt was ordered, and nothing was heard of it yet."""
        return key in self._orders

    def cancel_nowait(self, key: Key, *, kill: bool, detail: str, examine: bool = False) -> None:
        """Order the end of an attempt; answered by its events."""
        head: dict[str, Any] = {"task": key[0], "attempt": key[1], "kill": kill, "detail": detail}
        if examine:
            head["examine"] = True
        self._cancels[key] = frame = encode({"type": "cancel", **head})
        self._send(frame)
        self._hurry()

    def acknowledge_nowait(self, number: int, drop: Sequence[str] = ()) -> None:
        """Have the agent forget events up to this one, and folders whose files are here.

        For whoever does not have `on_events` say that all it was told is recorded.
        """
        self._say(encode({"type": "ack", "seq": number, **({"drop": [*drop]} if drop else {})}))

    def dismiss_nowait(self, why: str) -> None:
        """Have the environment end, with all that is in it: `wait_gone` returns `why`."""
        self._give_up(why)

    def take_remains(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take what the agent, which is gone, had still to say."""
        news = [head for head in events if head["seq"] > self._seen]
        if news and not self._trouble:
            self._seen = news[-1]["seq"]
            self._on_events(self, news)

    async def leave(self) -> None:
        """Have the agent end everything and leave what comes of it in its spool."""
        self._is_closing = True
        if self._link is not None and not self._refusal:
            self._send(encode({"type": "abandon"}))
            self._flush()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_WITHIN):
                    await self._handle.wait_gone()
        self._drop()

    async def close(self) -> None:
        """Have the agent end everything and leave; destroy the environment if it does not."""
        self._is_closing = True
        if self._refusal:
            self._drop()
            return  # it is another controller's
        try:
            if self._link is not None:
                self._send(encode({"type": "shutdown"}))
                self._flush()
                async with asyncio.timeout(_CLOSE_WITHIN):
                    await self._handle.wait_gone()
        except TimeoutError:
            pass
        finally:
            self._drop()
            await destroy(self._handle, self._on_notice)

    # The link.

    def connected(self, link: AgentLink) -> None:
        """Greet the agent: called by the link."""
        self._link = link
        hello = {
            "type": "hello",
            "protocol": PROTOCOL_VERSION,
            "token": self._handle.token,
            "epoch": self._epoch,
            "acknowledged": self._seen,
        }
        link.write(encode(hello) + encode({"type": "settings", **self._settings}))

    def take(self, link: AgentLink, frames: Sequence[Mapping[str, Any]]) -> None:
        """Take frames as they arrive, a batch at a time: called by the link."""
        if link is not self._link:
            return
        try:
            self._take_all(link, frames)
        except _MALFORMED as error:
            self._trouble = f"what the agent says makes no sense: {error!r}"[:_LONGEST_TROUBLE]
            self._refuse_greeting(f"understand the agent: {self._trouble}")
            self._cut.set()

    def _take_all(self, link: AgentLink, frames: Sequence[Mapping[str, Any]]) -> None:
        events = []
        for head in frames:
            kind = head.get("type")
            if kind == "event":
                if self._is_next(head):
                    events.append(head)
            elif kind == "reply":
                self._take_reply(head)
            elif kind == "hello":
                self._take_hello(link, head)
            elif kind == "refused":
                self._take_refusal(head)
        if events and self._on_events(self, events):
            self._say(b'{"type":"ack","seq":%d}\n' % self._seen)
        if self._here is not None:
            self._send_again()

    def _is_next(self, head: Mapping[str, Any]) -> bool:
        """Whether an event is the one that follows; what is known already is passed over."""
        number = head.get("seq")
        if type(number) is not int or number <= self._seen or self._trouble:
            return False
        if number != self._seen + 1:
            self._trouble = f"event {self._seen + 1} of the agent could not be read"
            self._cut.set()
            return False
        self._seen = number
        key: Any = head.get("task"), head.get("attempt")
        if type(key[0]) is int and type(key[1]) is int:
            self._orders.pop(key, None)
            if self._cancels and head.get("event") in ("ended", "not_started"):
                self._cancels.pop(key, None)
        return True

    def _take_hello(self, link: AgentLink, head: Mapping[str, Any]) -> None:
        version = head.get("protocol")
        if type(version) is not int or abs(version - PROTOCOL_VERSION) > 1:
            self._refuse_greeting(
                f"speak with the agent: its protocol {version} is too far from {PROTOCOL_VERSION}"
            )
            self._drop()
            return
        self.hello = head
        if self._is_strange:
            self._is_strange = False
            self._seen = int(head.get("first", 1)) - 1
        here = {(task, attempt) for task, attempt in head.get("tasks", ())}
        self._greeted(link)
        self._here = here

    def _take_refusal(self, head: Mapping[str, Any]) -> None:
        self._refusal = reason = str(head.get("reason"))
        self.is_replaced = head.get("replaced") is True
        self._refuse_greeting(f"take over the agent: {reason}")
        self._cut.set()

    def _send_again(self) -> None:
        """Once all that happened meanwhile is known, repeat what the agent never got."""
        if self._here is None or self._seen < self.hello.get("last", 0):
            return
        self._on_missing(frozenset(self._here))
        frames = [frame for key, frame in self._orders.items() if key not in self._here]
        frames += self._cancels.values()
        frames += self._unanswered()
        self._here = None
        for frame in frames:
            self._send(frame)

    def _send(self, data: bytes) -> None:
        """Send what waits until it is known what the agent has; it is repeated then."""
        if self._here is None:
            self._say(data)
