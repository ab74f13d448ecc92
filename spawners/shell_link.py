"""A connection to an agent of sh that looks like one to any other agent.

Translates between the frames of docs/agent.md, as `nrunner.environment` sends and expects them, and
the lines of ``runners/agent.sh``. It is the other end of a transport, in the controller's own
process: so what needs Python is done here, kinds are known and judged here, and orders wait here
for a slot. It keeps nothing that the agent does not keep, too: each connection has a new one. Not
responsible for the pipes (``nrunner.spawners.shell_door``), nor for what an event says
(``nrunner.spawners.shell_story``).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from nrunner.errors import NrunnerError, ProtocolError, RequirementError
from nrunner.record import replace
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners import registry
from nrunner.runners.attempt import Order, Settings, whole
from nrunner.runners.wire import Frame, FrameReader, encode
from nrunner.spawners.shell_door import Peer
from nrunner.spawners.shell_fetch import Fetcher
from nrunner.spawners.shell_greeting import SHELL_KINDS, Greeting
from nrunner.spawners.shell_order import settings_line
from nrunner.spawners.shell_queue import ShellQueue
from nrunner.spawners.shell_requirement import question_of
from nrunner.spawners.shell_shelf import Shelf
from nrunner.spawners.shell_store import Execute, ShellStore
from nrunner.spawners.shell_story import Key, Story, Told
from nrunner.spawners.shell_words import line

__all__ = ["ShellLink"]

_REQUIREMENTS = frozenset({"command", "file", "noop"})
_MALFORMED = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
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
        self._epoch = 0
        self._acknowledged = 0
        self._hello: Greeting | None = None
        """What the agent has said of itself, until it has said what happened before."""
        self._clock: float | None = None
        """What is to be added to its times to have ours."""
        self._asked: dict[int, Callable[[int], None]] = {}
        self._own_questions = 0
        self._store = None if execute is None else ShellStore(execute)
        self._putting: set[asyncio.Task[None]] = set()
        self._told: deque[Told] = deque()
        self._teller: asyncio.Task[None] | None = None
        self._out: list[bytes] = []
        self._is_open = True
        self._shares_files = shares_files
        self._peer = reach(self)
        self._fetcher = Fetcher(self._send, self._ask)
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
            if self._teller is not None:
                self._teller.cancel()
            for each in self._putting:
                each.cancel()
            self._loop.call_soon(self._protocol.connection_lost, None)

    # What the controller says.

    def _take(self, frame: Frame) -> None:
        head = frame.head
        kind = head.get("type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None and kind != "put":
            self._complain(head, f"unknown frame {kind!r}")
            return
        try:
            if handler is None:
                self._put(head, frame.body)
            else:
                handler(self, head)
        except NrunnerError as error:
            self._complain(head, str(error))
        except _MALFORMED as error:
            self._complain(head, f"malformed frame {kind!r}: {error!r}")

    def _greet(self, head: Mapping[str, Any]) -> None:
        self._epoch, self._acknowledged = whole(head["epoch"]), whole(head["acknowledged"])
        words = (whole(head["protocol"]), self._epoch, self._acknowledged, str(head["token"]))
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
        except (*_MALFORMED, NrunnerError) as error:
            reason = str(error)[:_LONGEST_COMPLAINT]
            self._tell(key, "not_started", cause="malformed", reason=reason)
            return
        if outcome is not None:
            self._tell(key, "started")
            self._tell(key, "ended", **outcome.to_json(), elapsed=0.0)
        self._pump()

    def _pump(self) -> None:
        """Have attempts run for which there are slots."""
        for order, said in self._queue.due():
            self._story.expect(order)
            self._send(said)

    def _cancel(self, head: Mapping[str, Any]) -> None:
        if "fulfilment" in head:
            key = -whole(head["fulfilment"]), self._epoch
        else:
            key = whole(head["task"]), whole(head["attempt"])
        detail = str(head.get("detail", "cancelled"))
        if self._queue.withdraw(key):
            if key[0] > 0:
                self._tell(key, "not_started", cause="cancelled", reason=detail)
            return
        kill = int(head.get("kill") is True)
        self._send(line("cancel", *key, kill, detail.replace("\n", " ")))

    def _probe(self, head: Mapping[str, Any]) -> None:
        known = SHELL_KINDS | _REQUIREMENTS
        self._answer(head, kinds={str(kind): kind in known for kind in head["kinds"]})

    def _check(self, head: Mapping[str, Any]) -> None:
        requirement = Requirement.from_json(head["requirement"])
        question = question_of(requirement, self._queue.settings.base_dir)
        if question is None:
            self._answer(head, met=True, reason="")
            return
        self._inquire(
            question.words,
            lambda status: self._answer(
                head, met=status == 0, reason="" if status == 0 else question.reason
            ),
        )

    def _fulfil(self, head: Mapping[str, Any]) -> None:
        requirement = Requirement.from_json(head["requirement"])
        if requirement.kind in SHELL_KINDS and requirement.kind != "noop":
            self._run_errand(head, requirement)
            return
        question = question_of(requirement, self._queue.settings.base_dir)
        if question is None:
            self._answer(head, met=True, ok=True, changed=False)
            return

        def answer(status: int) -> None:
            if status == 0:
                self._answer(head, met=True, ok=True, changed=False)
            else:
                self._answer(head, error=question.reason)

        self._inquire(question.words, answer)

    def _put(self, head: Mapping[str, Any], body: bytes) -> None:
        store = self._store
        if store is None:
            raise RequirementError("bring a file to an environment without Python")

        async def put() -> None:
            try:
                self._answer(head, **await store.put(head, body))
            except NrunnerError as error:
                self._complain(head, str(error))
            except _MALFORMED as error:
                self._complain(head, f"malformed frame 'put': {error!r}")

        task = self._loop.create_task(put())
        self._putting.add(task)
        task.add_done_callback(self._putting.discard)

    def _run_errand(self, head: Mapping[str, Any], requirement: Requirement) -> None:
        """Have a requirement that is a program run; it is asked for again under the same number."""
        wanted = requirement
        runnable = Runnable(wanted.kind, wanted.uri, wanted.args, wanted.kwargs)
        recipe = {"config": {}, **runnable.to_json()}
        key = {"task": -whole(head["request"]), "attempt": self._epoch}
        order = Order.from_json({**head, **key, "runnable": recipe}, self._queue.settings.config)
        self._story.expect(order)
        if not self._queue.has((order.task, order.attempt)):
            self._queue.add(order, first=True)
            self._pump()

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
        self._ask("ping", lambda _status: self._answer(head))

    def _pause(self, head: Mapping[str, Any]) -> None:
        self._ask("pause", lambda count: self._answer(head, paused=count))

    def _resume(self, head: Mapping[str, Any]) -> None:
        self._ask("resume", lambda _status: self._answer(head, resumed=True))

    def _pass_on(self, head: Mapping[str, Any]) -> None:
        self._send(str(head["type"]).encode())

    def _answer(self, head: Mapping[str, Any], **fields: Any) -> None:
        request = head.get("request")
        if request is None or type(request) is int:
            self._deliver({"type": "reply", "request": request, **fields})

    def _complain(self, head: Mapping[str, Any], error: str) -> None:
        self._answer(head, error=error[:_LONGEST_COMPLAINT])

    _handlers: ClassVar[Mapping[str, Callable[[ShellLink, Mapping[str, Any]], None]]] = {
        "hello": _greet,
        "settings": _set,
        "run": _run,
        "cancel": _cancel,
        "probe": _probe,
        "check": _check,
        "fulfil": _fulfil,
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

    def _ask(self, word: str, then: Callable[[int], None], *words: str | int) -> None:
        self._own_questions += 1
        self._asked[self._own_questions] = then
        self._send(line(word, self._own_questions, *words))

    def _inquire(self, words: tuple[str, ...], then: Callable[[int], None]) -> None:
        self._ask("check", then, *words)

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
            except _MALFORMED:
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
            self._tell_on()
            self._pump()
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
        self._told.append(told)
        if self._hello is None:
            self._tell_on()
            if told.is_last:
                self._pump()

    def _tell_on(self) -> None:
        """Tell the controller what is to be told, in order."""
        while self._told and self._teller is None and self._is_open:
            if self._takes_long(self._told[0]):
                self._teller = self._loop.create_task(self._tell_slowly())
                return
            told = self._told.popleft()
            self._report(told, self._story.fields(told))

    def _takes_long(self, told: Told) -> bool:
        return bool(told.kept.strip("-")) and not self._shares_files

    async def _tell_slowly(self) -> None:
        told = self._told[0]
        order = self._story.orders.get(told.key)
        trouble = ""
        if order is not None:
            trouble = await self._fetcher.fetch(told.key, told.kept, order.log_dir)
        self._told.popleft()
        fields = self._story.fields(told)
        if trouble:
            fields["trouble"] = trouble
        if self._shelf is None or order is None:
            self._fetcher.drop(told.key)
        else:
            most = self._queue.settings.enclose
            fields.update(self._shelf.put(told, order.log_dir, most))
        self._report(told, fields)
        self._teller = None
        self._tell_on()
        self._flush()

    def _report(self, told: Told, fields: dict[str, Any]) -> None:
        task, attempt = told.key
        if told.number == 0:
            if told.is_last:
                self._end_errand(-task, fields)
            return
        if self._clock is not None:
            fields["time"] = min(time.monotonic(), told.at + self._clock)
        head = {"type": "event", "seq": told.number, "task": task, "attempt": attempt}
        self._deliver({**head, **fields})

    def _end_errand(self, request: int, fields: Mapping[str, Any]) -> None:
        head = {"request": request}
        if fields.get("result") in (Result.PASS.wire, Result.WARN.wire, Result.SKIP.wire):
            self._answer(head, met=True, ok=True, changed=True)
        else:
            reason = fields.get("fail_reason") or fields.get("reason") or fields.get("stop_detail")
            self._answer(head, error=reason or "it ended without a reason")

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
