"""Requirements where there is no Python: asked about, run if they are programs, and files brought.

Each is answered once, with the words of any agent. Not responsible for what an agent of sh is asked
(``nrunner.spawners.shell_requirement``), nor for how files get there
(``nrunner.spawners.shell_store``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nrunner.errors import NrunnerError, RequirementError
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.attempt import Order, whole
from nrunner.spawners.shell_greeting import SHELL_KINDS
from nrunner.spawners.shell_queue import ShellQueue
from nrunner.spawners.shell_requirement import question_of
from nrunner.spawners.shell_store import ShellStore
from nrunner.spawners.shell_story import Story

__all__ = ["MALFORMED", "ShellErrands"]

MALFORMED = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What reading a frame raises that is not what it should be."""
_REQUIREMENTS = frozenset({"command", "file", "noop"})
_MET = (Result.PASS.wire, Result.WARN.wire, Result.SKIP.wire)


class Desk(Protocol):
    """Who speaks with both sides."""

    epoch: int

    def answer(self, head: Mapping[str, Any], **fields: Any) -> None:
        """Answer a frame of the controller's."""
        ...

    def complain(self, head: Mapping[str, Any], error: str) -> None:
        """Say that a frame of the controller's could not be followed."""
        ...

    def ask(self, word: str, then: Callable[[int], None], *words: str | int) -> None:
        """Ask the agent something; `then` is called with its answer, a number."""
        ...

    def pump(self) -> None:
        """Have attempts run for which there are slots."""
        ...


class ShellErrands:
    """The errands of one connection."""

    def __init__(
        self, desk: Desk, queue: ShellQueue, story: Story, store: ShellStore | None
    ) -> None:
        """`store` is where files can be put, if they can be."""
        self._desk = desk
        self._queue = queue
        self._story = story
        self._store = store
        self._putting: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Give up what is under way: nobody hears of it any more."""
        for each in self._putting:
            each.cancel()

    def probe(self, head: Mapping[str, Any]) -> None:
        """Say which kinds are known here."""
        known = SHELL_KINDS | _REQUIREMENTS
        self._desk.answer(head, kinds={str(kind): kind in known for kind in head["kinds"]})

    def check(self, head: Mapping[str, Any]) -> None:
        """Say whether a requirement holds; raise RequirementError if that cannot be told."""
        requirement = Requirement.from_json(head["requirement"])
        question = question_of(requirement, self._queue.settings.base_dir)
        if question is None:
            self._desk.answer(head, met=True, reason="")
            return

        def answer(status: int) -> None:
            reason = "" if status == 0 else question.reason
            self._desk.answer(head, met=status == 0, reason=reason)

        self._desk.ask("check", answer, *question.words)

    def fulfil(self, head: Mapping[str, Any]) -> None:
        """Have a requirement hold, or say why not; raise RequirementError if that is in vain."""
        requirement = Requirement.from_json(head["requirement"])
        if requirement.kind in SHELL_KINDS and requirement.kind != "noop":
            self._run(head, requirement)
            return
        question = question_of(requirement, self._queue.settings.base_dir)
        if question is None:
            self._desk.answer(head, met=True, ok=True, changed=False)
            return

        def answer(status: int) -> None:
            if status == 0:
                self._desk.answer(head, met=True, ok=True, changed=False)
            else:
                self._desk.answer(head, error=question.reason)

        self._desk.ask("check", answer, *question.words)

    def put(self, head: Mapping[str, Any], body: bytes) -> None:
        """Put a piece of a file there; raise RequirementError if none can be."""
        store = self._store
        if store is None:
            raise RequirementError("bring a file to an environment without Python")

        async def put() -> None:
            try:
                self._desk.answer(head, **await store.put(head, body))
            except NrunnerError as error:
                self._desk.complain(head, str(error))
            except MALFORMED as error:
                self._desk.complain(head, f"malformed frame 'put': {error!r}")

        task = asyncio.get_running_loop().create_task(put())
        self._putting.add(task)
        task.add_done_callback(self._putting.discard)

    def ended(self, request: int, fields: Mapping[str, Any]) -> None:
        """Answer for a program that was run, and how it ended."""
        head = {"request": request}
        if fields.get("result") in _MET:
            self._desk.answer(head, met=True, ok=True, changed=True)
        else:
            reason = fields.get("fail_reason") or fields.get("reason") or fields.get("stop_detail")
            self._desk.answer(head, error=reason or "it ended without a reason")

    def _run(self, head: Mapping[str, Any], wanted: Requirement) -> None:
        """Have a requirement that is a program run; it is asked for again under the same number."""
        runnable = Runnable(wanted.kind, wanted.uri, wanted.args, wanted.kwargs)
        recipe = {"config": {}, **runnable.to_json()}
        key = {"task": -whole(head["request"]), "attempt": self._desk.epoch}
        order = Order.from_json({**head, **key, "runnable": recipe}, self._queue.settings.config)
        self._story.expect(order)
        if not self._queue.has((order.task, order.attempt)):
            self._queue.add(order, first=True)
            self._desk.pump()
