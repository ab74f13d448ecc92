"""What an agent is asked, and answers once: each question until it has its answer, whatever breaks.

A question is repeated to an agent that is greeted anew, so an agent may hear it twice. What is
large is not: it may be for its size that the link broke. Not responsible for the link
(``nrunner.keptlink``), nor for what happens of itself (``nrunner.environment``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nrunner.errors import (
    InterruptedLinkError,
    LinkError,
    ProtocolError,
    RecipeError,
    RequirementError,
)
from nrunner.runnable import Requirement
from nrunner.runners.wire import encode

__all__ = ["Inquiries"]

_MOST_REPEATED = 1 << 14
"""Bytes beside the question itself."""


class Inquiries:
    """Those to one agent."""

    def __init__(self) -> None:
        self.requests = 0
        """How many questions were asked, each of which costs a way there and back."""
        self._asked: dict[int, tuple[bytes, asyncio.Future[Mapping[str, Any]]]] = {}
        """The frame, empty if it is not to be repeated, and who waits for the answer."""
        self._ended = ""
        """Why there will be no answers any more, once that is known."""

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

        `fields` are its path, size, mode and sha256; `read` returns the piece at an offset, and is
        asked again for one that did not arrive. Raise RequirementError with the reason, or
        LinkError.
        """
        found = await self._put({**fields, "look": True})
        if found.get("have") is True:
            return False
        offset = 0
        while True:
            piece = await read(offset)
            try:
                reply = await self._put({**fields, "offset": offset}, piece)
            except InterruptedLinkError:
                continue
            offset += len(piece)
            if reply.get("done") is True:
                return True
            if not piece:
                raise RequirementError(f"put {fields['path']}: its end was not taken for its end")

    async def put_many(self, fields: Mapping[str, Any], body: bytes = b"") -> Mapping[str, Any]:
        """Put many small files there, or ask which are; return the answer.

        Raise RequirementError with the reason, InterruptedLinkError or LinkError.
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
        self._asked[number] = frame if len(body) <= _MOST_REPEATED else b"", future
        try:
            self._send(frame)
            return await future
        except asyncio.CancelledError:
            if cancel:
                self._send(encode({"type": "cancel", cancel: number, "detail": "cancelled"}))
            raise
        finally:
            del self._asked[number]

    def _unanswered(self) -> list[bytes]:
        """Return the frames of all that has no answer yet, and tell who has to ask anew."""
        for frame, future in self._asked.values():
            if not frame and not future.done():
                why = "ask the agent: the link broke while the question was on its way"
                future.set_exception(InterruptedLinkError(why))
        return [frame for frame, _ in self._asked.values() if frame]

    def _fail_questions(self, why: str) -> None:
        """Have nobody wait for an answer any more."""
        self._ended = why
        for _, future in self._asked.values():
            if not future.done():
                future.set_exception(LinkError(f"ask the agent: {why}"))

    def _send(self, data: bytes) -> None:
        """Send a frame, if it can be sent now."""
        raise NotImplementedError
