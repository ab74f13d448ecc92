"""A connection to an agent of sh that looks like one to any other agent.

Translates between the frames of docs/agent.md, as `nrunner.environment` sends and expects them, and
the lines of ``runners/agent.sh``. It is the other end of a transport, in the controller's own
process: so what needs Python is done here, kinds are known and judged here, and orders wait here
for a slot. It keeps nothing that the agent does not keep, too: each connection has a new one. Not
responsible for the pipes (``nrunner.spawners.shell_door``), for requirements
(``nrunner.spawners.shell_errands``), nor for what an event says (``nrunner.spawners.shell_story``).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from nrunner.errors import NrunnerError, ProtocolError
from nrunner.record import replace
from nrunner.runners import registry
from nrunner.runners.attempt import Order, Settings, whole
from nrunner.runners.wire import Frame, FrameReader, encode
from nrunner.spawners.shell_door import Peer
from nrunner.spawners.shell_errands import MALFORMED, ShellErrands
from nrunner.spawners.shell_fetch import Fetcher
from nrunner.spawners.shell_greeting import SHELL_KINDS, Greeting
from nrunner.spawners.shell_news import ShellNews
from nrunner.spawners.shell_order import settings_line
from nrunner.spawners.shell_queue import ShellQueue
from nrunner.spawners.shell_shelf import Shelf
from nrunner.spawners.shell_store import Execute, ShellStore
from nrunner.spawners.shell_story import Key, Story, Told
from nrunner.spawners.shell_words import line

__all__ = ["ShellLink"]

_LONGEST_COMPLAINT = 1000


class ShellLink(asyncio.Transport):
    """One connection: the controller's frames in, lines out, and back."""

    def __init__(
        self,
        protocol: asyncio.Protocol,
        reach: Callable[[ShellLink], Peer],
        *,
        shares_files: bool = True,
        staging: Path | None = None,
        execute: Execute | None = None,
    ) -> None:
        """`reach` connects to the agent; it may raise LinkError.

        Where nothing is shared, `staging` is a folder here for what is on its way to whoever asks
        for files, as any agent is asked; without one it goes where the orders say. `execute` is how
        files are put there, if they can be.
        """
        super().__init__()
        self._protocol = protocol
        self._frames = FrameReader()
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._story = Story(shares_files=shares_files, staging=staging)
        self._shelf = None if staging is None else Shelf(self._story.staged)
        self._queue = ShellQueue()
        self.epoch = 0
        """The controller's."""
        self._acknowledged = 0
        self._hello: Greeting | None = None
        """What the agent has said of itself, until it has said what happened before."""
        self._clock: float | None = None
        """What is to be added to its times to have ours."""
        self._asked: dict[int, Callable[[int], None]] = {}
        self._own_questions = 0
        store = None if execute is None else ShellStore(execute)
        self._errands = ShellErrands(self, self._queue, self._story, store)
        self._fetcher = Fetcher(self._send, self.ask)
        self._news = ShellNews(
            self._queue,
            self._story,
            self._fetcher,
            self._shelf,
            self._report,
            shares_files=shares_files,
        )
        self._out: list[bytes] = []
        self._is_open = True
        self._shares_files = shares_files
        self._peer = reach(self)
        protocol.connection_made(self)

    # As a transport.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the controller's bytes."""
        for frame in self._frames.feed(bytes(data)):
            self._take(frame)

    def abort(self) -> None:
        """Hang up."""
        self._end()
        self._peer.close()

    def close(self) -> None:
        """Hang up."""
        self.abort()

    def is_closing(self) -> bool:
        """Whether nothing is delivered any more."""
        return not self._is_open

    def _end(self) -> None:
        if self._is_open:
            self._is_open = False
            self._news.stop()
            self._errands.stop()
            self._loop.call_soon(self._protocol.connection_lost, None)

    # What the controller says.

    def _take(self, frame: Frame) -> None:
        head = frame.head
        kind = head.get("type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None and kind != "put":
            self.complain(head, f"unknown frame {kind!r}")
            return
        try:
            if handler is None:
                self._errands.put(head, frame.body)
            else:
                handler(self, head)
        except NrunnerError as error:
            self.complain(head, str(error))
        except MALFORMED as error:
            self.complain(head, f"malformed frame {kind!r}: {error!r}")

    def _greet(self, head: Mapping[str, Any]) -> None:
        self.epoch, self._acknowledged = whole(head["epoch"]), whole(head["acknowledged"])
        words = (whole(head["protocol"]), self.epoch, self._acknowledged, str(head["token"]))
        self._send("hello {} {} {} {}".format(*words).encode("utf-8", "surrogateescape"))

    def _set(self, head: Mapping[str, Any]) -> None:
        settings = Settings.from_json(head)
        if not self._shares_files:
            settings = replace(settings, slots_dir="")
        self._queue.settings = settings
        self._send(settings_line(settings))

    def _run(self, head: Mapping[str, Any]) -> None:
        key = whole(head["task"]), whole(head["attempt"])
        if self._queue.has(key):
            return
        try:
            order = Order.from_json(head, self._queue.settings.config)
            if order.runnable.kind not in SHELL_KINDS:
                reason = _no_python(order.runnable.kind)
                self._tell(key, "not_started", cause="unsuitable", reason=reason)
                return
            outcome = self._queue.add(order)
        except (*MALFORMED, NrunnerError) as error:
            reason = str(error)[:_LONGEST_COMPLAINT]
            self._tell(key, "not_started", cause="malformed", reason=reason)
            return
        if outcome is not None:
            self._tell(key, "started")
            self._tell(key, "ended", **outcome.to_json(), elapsed=0.0)
        self.pump()

    def pump(self) -> None:
        """Have attempts run for which there are slots."""
        for order, said in self._queue.due():
            self._story.expect(order)
            self._send(said)

    def _cancel(self, head: Mapping[str, Any]) -> None:
        if "fulfilment" in head:
            key = -whole(head["fulfilment"]), self.epoch
        else:
            key = whole(head["task"]), whole(head["attempt"])
        detail = str(head.get("detail", "cancelled"))
        if self._queue.withdraw(key):
            if key[0] > 0:
                self._tell(key, "not_started", cause="cancelled", reason=detail)
            return
        kill = int(head.get("kill") is True)
        self._send(line("cancel", *key, kill, detail.replace("\n", " ")))

    def _get(self, head: Mapping[str, Any]) -> None:
        if self._shelf is None:
            raise ProtocolError("take files out of an environment without Python")
        fields, body = self._shelf.take(head)
        self._deliver({"type": "reply", "request": whole(head["request"]), **fields}, body)

    def _acknowledge(self, head: Mapping[str, Any]) -> None:
        number = whole(head["seq"])
        self._send(b"ack %d" % number)
        if self._shelf is not None:
            for folder in head.get("drop", ()):
                self._shelf.drop(folder)
            for key in self._shelf.acknowledged(number):
                self._fetcher.drop(key)

    def _show_up(self, head: Mapping[str, Any]) -> None:
        self.ask("ping", lambda _status: self.answer(head))

    def _pause(self, head: Mapping[str, Any]) -> None:
        self.ask("pause", lambda count: self.answer(head, paused=count))

    def _resume(self, head: Mapping[str, Any]) -> None:
        self.ask("resume", lambda _status: self.answer(head, resumed=True))

    def _pass_on(self, head: Mapping[str, Any]) -> None:
        self._send(str(head["type"]).encode())

    def answer(self, head: Mapping[str, Any], **fields: Any) -> None:
        """Answer a frame of the controller's, if it asks for that."""
        request = head.get("request")
        if request is None or type(request) is int:
            self._deliver({"type": "reply", "request": request, **fields})

    def complain(self, head: Mapping[str, Any], error: str) -> None:
        """Say that a frame of the controller's could not be followed."""
        self.answer(head, error=error[:_LONGEST_COMPLAINT])

    _handlers: ClassVar[Mapping[str, Callable[[ShellLink, Mapping[str, Any]], None]]] = {
        "hello": _greet,
        "settings": _set,
        "run": _run,
        "cancel": _cancel,
        "probe": lambda self, head: self._errands.probe(head),
        "check": lambda self, head: self._errands.check(head),
        "fulfil": lambda self, head: self._errands.fulfil(head),
        "get": _get,
        "ack": _acknowledge,
        "ping": _show_up,
        "pause": _pause,
        "resume": _resume,
        "abandon": _pass_on,
        "shutdown": _pass_on,
    }

    # To the agent.

    def _send(self, said: bytes) -> None:
        if self._is_open:
            self._peer.send(said)

    def _tell(self, key: Key, event: str, **fields: Any) -> None:
        """Have the agent number, and keep, an event that is found out here."""
        self._send(line("told", *key, json.dumps({"event": event, **fields})))

    def ask(self, word: str, then: Callable[[int], None], *words: str | int) -> None:
        """Ask the agent something; `then` is called with its answer, a number."""
        self._own_questions += 1
        self._asked[self._own_questions] = then
        self._send(line(word, self._own_questions, *words))

    # What the agent says.

    def heard(self, data: bytes) -> None:
        """Take the agent's bytes."""
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for each in lines:
            if not self._is_open:
                return
            if each[:1] == b" ":
                self._fetcher.take(bytes(each))
                continue
            word, _, text = each.decode("utf-8", "surrogateescape").partition(" ")
            try:
                self._hear(word, text)
            except MALFORMED:
                # An event that is missing is noticed by its number.
                continue
        self._flush()

    def hung_up(self) -> None:
        """The agent, or its end of the connection, is gone."""
        self._flush()
        self._end()

    def _hear(self, word: str, text: str) -> None:
        if word == "hello":
            self._hello = greeting = Greeting.parse(text)
            self._clock = greeting.clock
            self._queue.crew, self._queue.busy = greeting.crew, dict(greeting.slots)
        elif word == "ready":
            hello, self._hello = self._hello, None
            if hello is not None:
                self._deliver(hello.frame())
            self._news.tell()
            self.pump()
        elif word == "refused":
            replaced, _, reason = text.partition(" ")
            self._deliver({"type": "refused", "reason": reason, "replaced": replaced == "1"})
        elif word == "reply":
            number, status = map(int, text.split(" "))
            then = self._asked.pop(number, None)
            if then is not None:
                then(status)
        else:
            told = self._story.take(word, text)
            if told is not None:
                self._note(told)

    def _note(self, told: Told) -> None:
        if told.is_last:
            self._queue.busy.pop(told.key, None)
        if 0 < told.number <= self._acknowledged and self._hello is not None:
            self._story.forget(told)
            return
        self._news.add(told)
        if self._hello is None:
            self._news.tell()
            if told.is_last:
                self.pump()

    def _report(self, told: Told, fields: dict[str, Any]) -> None:
        task, attempt = told.key
        if told.number == 0:
            if told.is_last:
                self._errands.ended(-task, fields)
            return
        if self._clock is not None:
            fields["time"] = min(time.monotonic(), told.at + self._clock)
        head = {"type": "event", "seq": told.number, "task": task, "attempt": attempt}
        self._deliver({**head, **fields})

    def _deliver(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        """Hand a frame to the controller, with whatever else is said in this turn of the loop."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(encode(head, body))

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if data and self._is_open:
            self._protocol.data_received(data)


def _no_python(kind: str) -> str:
    if kind in registry.KINDS:
        return "no Python in this environment"
    return f'no Python in this environment, which runners of a kind like "{kind}" need'
