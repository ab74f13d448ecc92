"""The link to an agent, kept up as long as its environment lives: made again whenever it is lost.

An agent that is silent is asked to say something. Of most, one that does not answer is given up;
where the handle has patience only the link is, and is tried again for as long as that. Not
responsible for what is said (``nrunner.environment``).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from nrunner.agentlink import AgentLink
from nrunner.errors import LinkError, NrunnerError
from nrunner.runners.wire import encode
from nrunner.spawners.base import Distant, Handle

__all__ = ["KeptLink"]

_HELLO_WITHIN = 15.0
_LEAST_WITHIN = 1.0
"""Seconds for which it is tried again even if there is less patience left."""
_LAST_WORDS_WITHIN = 0.5
_ANSWER_WITHIN = 60.0
_PARTS = 4
"""An agent that was silent for one part of the deadline is asked."""
_RECONNECTS = (0.05, 0.2, 0.5, 1.0, 2.0)
_LATER_RECONNECTS = 5.0
"""Seconds between tries after those, where a link may be lost for longer."""
_PING_EACH = 5.0
_SILENT_PINGS = 2
"""A link that may break counts as broken if nothing was heard for so many pauses after a ping."""
_UNWANTED_PING_EACH = 0.7
_UNWANTED_FOR = 1.0
"""Seconds for which a link may be lost if all that runs there was cancelled: people wait."""
_WORTH_TELLING = 1.0
"""Seconds for which a link is lost before people are told."""

_PING = encode({"type": "ping"})


class KeptLink:
    """That of one environment; who derives from it says what is said over it."""

    def __init__(
        self,
        place: str,
        handle: Handle,
        answer_within: float | None,
        on_notice: Callable[[str], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        """`on_notice` is told of links that are lost for long, and found.

        `is_wanted` says whether anybody wants to know what comes of what runs there.
        """
        self.place = place
        self.links = 0
        """How many links there were."""
        self._handle = handle
        self._answer_within = _ANSWER_WITHIN if answer_within is None else answer_within
        self._on_notice = on_notice
        self._is_wanted = is_wanted
        self._patience = handle.patience if isinstance(handle, Distant) else 0.0
        """For how many seconds there may be no link."""
        self._link: AgentLink | None = None
        self._greeting: asyncio.Future[None] | None = None
        self._out: list[bytes] = []
        self._cut = asyncio.Event()
        self._woken = asyncio.Event()
        """Set when there is less to wait for."""
        self._hurried = asyncio.Event()
        """Set when an answer is waited for by people."""
        self._lost_by = ""
        """Why the link was given up, if it was not simply cut."""
        self._refusal = ""
        self._trouble = ""
        self._has_ended = False
        """Whether the environment was found to be gone while its agent was to be greeted."""
        self._is_closing = False

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
        is_hopeless = self._refusal or self._trouble or self._has_ended
        if not self._patience or is_hopeless:
            return False
        self._cut.set()
        return True

    async def _stay(self) -> str:
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
        return why

    def _give_up(self, why: str) -> None:
        """Have the environment end: `_stay` returns `why`."""
        self._trouble = why
        self._cut.set()
        self._woken.set()

    async def _connect(self, within: float = _HELLO_WITHIN) -> None:
        """Connect and greet; raise LinkError."""
        self._drop()
        self._greeting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within):
                await self._handle.connect(lambda: AgentLink(self))
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
                    why = await self._handle.wait_gone()
                    self._has_ended = True
                    return f": {why}"
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
                # What is left is told by whoever clears it away afterwards.
                with contextlib.suppress(NrunnerError):
                    await self._handle.destroy()
                return trouble

    async def _expect_answers(self) -> None:
        """Ask an agent that is silent to say something; if it does not in time, it is given up.

        It may be stopped, or somebody traces it: then nobody keeps the limits of its attempts. Of
        one that may be out of reach only the link is given up.
        """
        deadline = self._answer_within
        most = _SILENT_PINGS if self._patience else _PARTS
        loop = asyncio.get_running_loop()
        silent, since = 0, loop.time()
        while True:
            link = self._link
            heard = link.heard if link is not None else 0
            # In parts: were we stopped ourselves, the time is not up before we have listened.
            is_hurried = await self._pause_between_pings()
            if link is None or link is not self._link or heard != link.heard:
                silent, since = 0, loop.time()
                continue
            if silent == 0 or is_hurried:
                link.write(_PING)
            if silent >= most and not is_hurried:
                if not self._patience:
                    self._give_up(f"the agent did not answer within {deadline:g} s")
                    return
                self._lost_by = f"nothing was heard for {loop.time() - since:.0f} s"
                self._drop()
                self._cut.set()
            silent = 1 if is_hurried else silent + 1

    async def _pause_between_pings(self) -> bool:
        """Wait until it is time to ask again; return whether that is since people wait now."""
        if not self._patience:
            await asyncio.sleep(self._answer_within / _PARTS)
            return False
        self._hurried.clear()
        try:
            async with asyncio.timeout(_PING_EACH if self._is_wanted() else _UNWANTED_PING_EACH):
                await self._hurried.wait()
        except TimeoutError:
            return False
        return True

    def _hurry(self) -> None:
        """Note that people wait for what is said next, or that less is worth waiting for."""
        self._woken.set()
        self._hurried.set()

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
                self._on_notice(f"the link to {self.place} is lost ({why}): {self._outlook()}")
        return trouble

    def _outlook(self) -> str:
        if self._is_wanted():
            return f"what runs there goes on, and it is tried again for {self._patience:g} s"
        return "what runs there ends once it has waited for a controller for long enough"

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

    def lost(self, link: AgentLink) -> None:
        """Note that the link is down: called by the link."""
        if link is not self._link:
            return
        self._link = None
        if self._greeting is not None:
            self._refuse_greeting("be greeted by the agent: it hung up")
        elif not self._is_closing:
            self._cut.set()

    def _refuse_greeting(self, reason: str) -> None:
        if self._greeting is not None and not self._greeting.done():
            self._greeting.set_exception(LinkError(reason))

    def _greeted(self, link: AgentLink) -> None:
        """Note that an agent has answered the greeting."""
        link.is_greeted = True
        self.links += 1
        if self._greeting is not None and not self._greeting.done():
            self._greeting.set_result(None)

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

    # What is said.

    def connected(self, link: AgentLink) -> None:
        """Greet the agent: called by the link."""
        raise NotImplementedError

    def take(self, link: AgentLink, frames: Sequence[Mapping[str, Any]]) -> None:
        """Take frames as they arrive: called by the link."""
        raise NotImplementedError
