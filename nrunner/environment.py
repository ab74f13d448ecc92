"""An environment as the controller sees it: its agent's stream, and what is said over it.

Connects, says hello, sends orders, numbers and acknowledges events, reconnects while the
environment lives. Frames are described in docs/protocol.md. Not responsible for how the
environment came to be (spawners) nor for what an event leads to (``nrunner.scheduler``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from nrunner.errors import LinkError, ProtocolError, RecipeError, RequirementError
from nrunner.runnable import Requirement
from nrunner.runners.wire import MAX_HEAD, PROTOCOL_VERSION, Frame, FrameReader, encode
from nrunner.spawners.base import Distant, Handle

__all__ = ["Environment", "Key", "run_frame"]

_HELLO_WITHIN = 15.0
_LEAST_WITHIN = 1.0
"""Seconds for which it is tried again even if there is less patience left."""
_LAST_WORDS_WITHIN = 0.5
_ANSWER_WITHIN = 60.0
_PARTS = 4
"""An agent that was silent for one part of the deadline is asked."""
_CLOSE_WITHIN = 10.0
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What comes of a field that is missing or wrong."""
_LONGEST_TROUBLE = 1000
_RECONNECTS = (0.05, 0.2, 0.5, 1.0, 2.0)
_LATER_RECONNECTS = 5.0
"""Seconds between tries after those, where a link may be lost for longer."""
_PING_EACH = 5.0
_SILENT_PINGS = 2
"""A link that may break counts as broken if nothing was heard for so many pauses after a ping."""
_UNWANTED_FOR = 2.0
"""Seconds for which a link may be lost if all that runs there was cancelled."""
_WORTH_TELLING = 1.0
"""Seconds for which a link is lost before people are told."""

_dump = msgspec.json.Encoder().encode
_load = msgspec.json.Decoder().decode

_PING = encode({"type": "ping"})

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


class Environment:
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
        self.place = place
        self.hello: Mapping[str, Any] = {}
        self._handle = handle
        self._settings = settings
        self._on_events = on_events
        self._epoch = epoch
        self._on_missing = on_missing
        self._on_notice = on_notice
        self._is_wanted = is_wanted
        self._woken = asyncio.Event()
        """Set when there is less to wait for."""
        self._patience = handle.patience if isinstance(handle, Distant) else 0.0
        """For how many seconds there may be no link."""
        self._ended = ""
        """How the environment ended, once that is known."""
        self._lost_by = ""
        """Why the link was given up, if it was not simply cut."""
        self._seen = 0
        self._is_strange = orders is not None
        """Whether an earlier controller has acknowledged some of its events."""
        self._link: _Link | None = None
        self._greeting: asyncio.Future[None] | None = None
        self._out: list[bytes] = []
        self._orders: dict[Key, bytes] = dict(orders or {})
        """Sent, and not heard of yet."""
        self._cancels: dict[Key, bytes] = {}
        self._asked: dict[int, tuple[bytes, asyncio.Future[Mapping[str, Any]]]] = {}
        self.requests = 0
        """How many questions were asked, each of which costs a way there and back."""
        self._here: set[Key] | None = None
        """What the agent had when it was greeted, until what it never got is sent again."""
        self._cut = asyncio.Event()
        self._refusal = ""
        self.is_replaced = False
        """Whether the agent has another controller now."""
        self._trouble = ""
        self._is_closing = False
        self.links = 0
        """How many links there were."""

    @property
    def is_linked(self) -> bool:
        """Whether the agent can be talked to now."""
        return self._link is not None and self._link.is_greeted

    async def open(self, *, at_once: bool = False) -> None:
        """Reach the agent and greet it, `at_once` or not at all; raise LinkError."""
        for pause in (*(_RECONNECTS if self._patience and not at_once else ()), None):
            try:
                await self._connect()
            except LinkError as error:
                words = await self._last_words()
                if words or self._refusal or pause is None:
                    raise LinkError(f"{error}{words}") from error
                await asyncio.sleep(pause)
            else:
                return

    def reach_later(self) -> bool:
        """Have `wait_gone` reach an agent that could not be; return whether there is hope."""
        is_hopeless = self._refusal or self._trouble or self._ended
        if not self._patience or is_hopeless:
            return False
        self._cut.set()
        return True

    async def wait_gone(self) -> str:
        """Keep the link up for as long as the environment lives; return how it ended."""
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(self._keep_link(), name=f"link to {self.place}")
            watcher = group.create_task(self._handle.wait_gone(), name=f"watch {self.place}")
            asker = group.create_task(self._expect_answers(), name=f"ask {self.place}")
            both = (keeper, watcher)
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            why = (keeper if keeper in done else watcher).result()
            for each in (*both, asker):
                each.cancel()
        self._drop()
        self._ended = why
        for _, future in self._asked.values():
            if not future.done():
                future.set_exception(LinkError(f"ask the agent: {why}"))
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
        self._woken.set()

    async def probe(self, kinds: Sequence[str]) -> Mapping[str, bool]:
        """Ask which kinds have a runner there; raise LinkError or ProtocolError."""
        reply = await self._ask({"type": "probe", "kinds": list(kinds)})
        found = reply.get("kinds")
        if not isinstance(found, Mapping):
            raise ProtocolError(
                f"learn about kinds: {reply.get('error', 'no answer in the reply')}"
            )
        return found

    async def fulfil(self, requirement: Requirement, fields: Mapping[str, Any]) -> bool:
        """Have a requirement fulfilled; return whether that changed anything there.

        Raise RequirementError with the reason, RecipeError if it can never hold as it is
        described, or LinkError.
        """
        head = {"type": "fulfil", "requirement": requirement.to_json(), **fields}
        reply = await self._ask(head, cancel="fulfilment")
        if reply.get("ok") is not True:
            is_malformed = reply.get("malformed") is True
            reason = str(reply.get("error", "no reason was given"))
            raise RecipeError(reason) if is_malformed else RequirementError(reason)
        return reply.get("changed", True) is not False

    async def check(self, requirement: Requirement) -> str | None:
        """Ask whether a requirement holds there, changing nothing; return why not, None if it does.

        Raise LinkError.
        """
        reply = await self._ask({"type": "check", "requirement": requirement.to_json()})
        if reply.get("met") is True:
            return None
        return str(reply.get("reason") or reply.get("error") or "no reason was given")

    async def put(self, fields: Mapping[str, Any], read: Callable[[int], Awaitable[bytes]]) -> bool:
        """Put a file there, unless it is there already; return whether it was not.

        `fields` are its path, size, mode and sha256; `read` returns the piece at an offset. Raise
        RequirementError with the reason, or LinkError.
        """
        found = await self._put({**fields, "look": True})
        if found.get("have") is True:
            return False
        offset = 0
        while True:
            piece = await read(offset)
            reply = await self._put({**fields, "offset": offset}, piece)
            offset += len(piece)
            if reply.get("done") is True:
                return True
            if not piece:
                raise RequirementError(f"put {fields['path']}: its end was not taken for its end")

    async def put_many(self, fields: Mapping[str, Any], body: bytes = b"") -> Mapping[str, Any]:
        """Put many small files there, or ask which are; return the answer.

        Raise RequirementError with the reason, or LinkError.
        """
        return await self._put(fields, body)

    async def _put(self, fields: Mapping[str, Any], piece: bytes = b"") -> Mapping[str, Any]:
        reply = await self._ask({"type": "put", **fields}, piece)
        if "error" in reply:
            raise RequirementError(f"could not {reply['error']}")
        return reply

    async def get(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the next piece of a folder there, its bytes as ``body``.

        Raise ProtocolError with the reason, or LinkError.
        """
        reply = await self._ask({"type": "get", **fields})
        if "error" in reply:
            raise ProtocolError(f"fetch files: {reply['error']}")
        return reply

    async def tail(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an attempt has printed after a position, as ``body``, once there is more.

        Without a body it is over. Raise ProtocolError with the reason, or LinkError.
        """
        reply = await self._ask({"type": "tail", **fields})
        if "error" in reply:
            raise ProtocolError(f"follow output: {reply['error']}")
        return reply

    def acknowledge_nowait(self, number: int, drop: Sequence[str] = ()) -> None:
        """Have the agent forget events up to this one, and folders whose files are here.

        For whoever does not have `on_events` say that all it was told is recorded.
        """
        self._say(encode({"type": "ack", "seq": number, **({"drop": [*drop]} if drop else {})}))

    async def pause(self) -> int:
        """Have the agent stop all that runs, and the time of its limits.

        Return how many processes were stopped; raise ProtocolError or LinkError.
        """
        reply = await self._ask({"type": "pause"})
        if not isinstance(reply.get("paused"), int):
            raise ProtocolError(f"pause: {reply.get('error', 'no answer in the reply')}")
        return int(reply["paused"])

    async def resume(self) -> None:
        """Have the agent let go on what was paused; raise LinkError."""
        await self._ask({"type": "resume"})

    def dismiss_nowait(self, why: str) -> None:
        """Have the environment end, with all that is in it: `wait_gone` returns `why`."""
        self._trouble = why
        self._cut.set()
        self._woken.set()

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
            await self._handle.destroy()

    # The link.

    async def _connect(self, within: float = _HELLO_WITHIN) -> None:
        """Connect and greet; raise LinkError."""
        self._drop()
        self._greeting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within):
                await self._handle.connect(lambda: _Link(self))
                await self._greeting
        except BaseException as error:
            self._drop()
            if isinstance(error, TimeoutError):
                raise LinkError(f"hear from the agent within {within:.3g} s") from error
            raise
        finally:
            self._greeting = None

    async def _last_words(self) -> str:
        """Say how an agent that could not be greeted has ended, if it has."""
        if not self._refusal:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_WITHIN):
                    self._ended = await self._handle.wait_gone()
                    return f": {self._ended}"
        return ""

    async def _keep_link(self) -> str:
        """Connect again whenever the link is cut; return why there will be no other link."""
        while True:
            await self._cut.wait()
            self._cut.clear()
            trouble = self._trouble or self._refusal or await self._reconnect()
            if self._refusal:
                return trouble  # it is another controller's now: hands off
            if trouble:
                await self._handle.destroy()
                return trouble

    async def _expect_answers(self) -> None:
        """Ask an agent that is silent to say something; if it does not in time, it is given up.

        It may be stopped, or somebody traces it: then nobody keeps the limits of its attempts. Of
        one that may be out of reach only the link is given up.
        """
        deadline = self._settings.get("answer_deadline", _ANSWER_WITHIN)
        pause, most = deadline / _PARTS, _PARTS
        if self._patience:
            pause, most = _PING_EACH, _SILENT_PINGS
        silent = 0
        while True:
            link = self._link
            heard = link.heard if link is not None else 0
            # In parts: were we stopped ourselves, the time is not up before we have listened.
            await asyncio.sleep(pause)
            if link is None or link is not self._link or heard != link.heard:
                silent = 0
                continue
            if silent == 0:
                link.write(_PING)
            if silent == most:
                if not self._patience:
                    self._trouble = f"the agent did not answer within {deadline:g} s"
                    self._cut.set()
                    return
                self._lost_by = f"nothing was heard for {pause * (most + 1):g} s"
                self._drop()
                self._cut.set()
            silent += 1

    async def _reconnect(self) -> str:
        """Have a link again; return why that is not possible."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        why, self._lost_by = self._lost_by or "it was cut", ""
        is_told = False
        trouble = ""
        for pause in self._pauses():
            left = self._time_left(since)
            if left <= 0:
                lost_for = loop.time() - since
                return self._trouble or f"{trouble or 'the link was lost'}, for {lost_for:.0f} s"
            await self._sleep(min(pause, left))
            try:
                await self._connect(min(_HELLO_WITHIN, max(left, _LEAST_WITHIN)))
            except LinkError as error:
                trouble = f"the link was lost, and could not {error}"
                if self._refusal:
                    break
            else:
                if is_told:
                    lost_for = loop.time() - since
                    self._on_notice(f"the link to {self.place} is back after {lost_for:.0f} s")
                return ""
            if self._patience and not is_told and loop.time() - since > _WORTH_TELLING:
                is_told = True
                self._on_notice(
                    f"the link to {self.place} is lost ({why}): what runs there goes on, and it is "
                    f"tried again for {self._patience:g} s"
                )
        return trouble

    def _time_left(self, since: float) -> float:
        """Return for how long there may still be no link; without patience, tries are counted."""
        if self._trouble:
            return 0.0
        if not self._patience:
            return math.inf
        patience = self._patience if self._is_wanted() else min(self._patience, _UNWANTED_FOR)
        return since + patience - asyncio.get_running_loop().time()

    async def _sleep(self, seconds: float) -> None:
        """Sleep until there is less to wait for."""
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _pauses(self) -> Iterator[float]:
        yield from _RECONNECTS
        while self._patience:
            yield _LATER_RECONNECTS

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.abort()

    def connected(self, link: _Link) -> None:
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

    def lost(self, link: _Link) -> None:
        """Note that the link is down: called by the link."""
        if link is not self._link:
            return
        self._link = None
        if self._greeting is not None:
            self._refuse_greeting("be greeted by the agent: it hung up")
        elif not self._is_closing:
            self._cut.set()

    def take(self, link: _Link, frames: Sequence[Mapping[str, Any]]) -> None:
        """Take frames as they arrive, a batch at a time: called by the link."""
        if link is not self._link:
            return
        try:
            self._take_all(link, frames)
        except _MALFORMED as error:
            self._trouble = f"what the agent says makes no sense: {error!r}"[:_LONGEST_TROUBLE]
            self._refuse_greeting(f"understand the agent: {self._trouble}")
            self._cut.set()

    def _take_all(self, link: _Link, frames: Sequence[Mapping[str, Any]]) -> None:
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

    def _take_hello(self, link: _Link, head: Mapping[str, Any]) -> None:
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
        link.is_greeted = True
        self.links += 1
        self._here = {(task, attempt) for task, attempt in head.get("tasks", ())}
        if self._greeting is not None and not self._greeting.done():
            self._greeting.set_result(None)

    def _take_refusal(self, head: Mapping[str, Any]) -> None:
        self._refusal = reason = str(head.get("reason"))
        self.is_replaced = head.get("replaced") is True
        self._refuse_greeting(f"take over the agent: {reason}")
        self._cut.set()

    def _refuse_greeting(self, reason: str) -> None:
        if self._greeting is not None and not self._greeting.done():
            self._greeting.set_exception(LinkError(reason))

    def _send_again(self) -> None:
        """Once all that happened meanwhile is known, repeat what the agent never got."""
        if self._here is None or self._seen < self.hello.get("last", 0):
            return
        self._on_missing(frozenset(self._here))
        frames = [frame for key, frame in self._orders.items() if key not in self._here]
        frames += self._cancels.values()
        frames += [frame for frame, _ in self._asked.values()]
        self._here = None
        for frame in frames:
            self._send(frame)

    def _take_reply(self, head: Mapping[str, Any]) -> None:
        number = head.get("request")
        found = self._asked.get(number) if isinstance(number, int) else None
        if found is not None and not found[1].done():
            found[1].set_result(head)

    async def _ask(
        self, head: Mapping[str, Any], body: bytes = b"", *, cancel: str = ""
    ) -> Mapping[str, Any]:
        """Return the answer; one that nobody waits for any more is taken back by `cancel`."""
        if self._ended:
            raise LinkError(f"ask the agent: {self._ended}")
        self.requests += 1
        number = self.requests
        frame = encode({**head, "request": number}, body)
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = frame, future
        try:
            self._send(frame)
            return await future
        except asyncio.CancelledError:
            if cancel:
                self._send(encode({"type": "cancel", cancel: number, "detail": "cancelled"}))
            raise
        finally:
            del self._asked[number]

    def _send(self, data: bytes) -> None:
        """Send what waits until it is known what the agent has; it is repeated then."""
        if self._here is None:
            self._say(data)

    def _say(self, data: bytes) -> None:
        """Send with whatever else this turn of the loop has to say."""
        if self._link is None or not self._link.is_greeted:
            return  # what has to get there is repeated once the agent is greeted
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if self._link is not None and data:
            self._link.write(data)


class _Link(asyncio.Protocol):
    """Bytes from the agent, cut into frames."""

    def __init__(self, environment: Environment) -> None:
        self.is_greeted = False
        self.heard = 0
        """How often something came."""
        self._environment = environment
        self._reader = FrameReader(_decoded)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._environment.connected(self)

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        frames = self._reader.feed(data)
        if frames:
            self._environment.take(self, [_with_body(frame) for frame in frames])

    def connection_lost(self, exc: Exception | None) -> None:
        self._environment.lost(self)

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def abort(self) -> None:
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
