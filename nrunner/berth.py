"""A place and, while there is one, the environment in it.

Knows what runs there, keeps orders until the environment is open, and learns which kinds have a
runner there. Not responsible for when an environment is needed (``nrunner.scheduler``), nor for
what is said to its agent (``nrunner.environment``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nrunner.environment import Environment, Key, run_frame
from nrunner.errors import NrunnerError
from nrunner.runnable import Requirement
from nrunner.runners.procfs import boot_id
from nrunner.runners.registry import KINDS
from nrunner.spawners.base import Handle, Offer, Spawner

__all__ = ["Berth"]

_ASIDES = ("notice", "slow")
_EVENTS = ("started", "ended", "not_started", "notice", "slow")

OnEvents = Callable[["Berth", Sequence[Mapping[str, Any]]], None]


class Berth:
    """One place of a job."""

    def __init__(
        self, offer: Offer, spawner: Spawner, settings: Mapping[str, Any], on_events: OnEvents
    ) -> None:
        self.place = offer.place
        self.environment: Environment | None = None
        self._offer = offer
        self._spawner = spawner
        self._settings = {**settings, "slots": offer.slots}
        self._on_events = on_events
        self.refused = 0
        """What the agent said of attempts that do not run here: forged, late, repeated."""
        self._running: dict[Key, bool] = {}
        """Whether the agent said that it started, by attempt."""
        self._pending: dict[Key, bytes] = {}
        self._has: dict[str, bool] = dict.fromkeys(KINDS, True)
        self._wanted = asyncio.Event()
        self._openers: list[asyncio.Future[Environment]] = []
        self._generation = 1
        self._tried: dict[int, int] = {}
        self._errands = 0
        self._same_clock = False

    # What runs here.

    def accept(self, number: int) -> None:
        """Note that a task is to run in the environment that is here now."""
        self._tried[number] = self._generation

    def run_nowait(self, order: Mapping[str, Any]) -> None:
        """Have an attempt run as soon as there is an environment; raise ProtocolError."""
        frame = run_frame(order)
        key = (order["task"], order["attempt"])
        self._running[key] = False
        self.accept(order["task"])
        if self.environment is not None:
            self.environment.run_nowait(key, frame)
        else:
            self._pending[key] = frame
            self._wanted.set()

    def cancel_nowait(self, task: int, attempt: int, *, kill: bool) -> None:
        """Have an attempt end early; one that no agent knows of has ended on return."""
        key, detail = (task, attempt), "cancelled"
        if self._pending.pop(key, None) is not None:
            del self._running[key]
            event = _event("not_started", key, cause="cancelled", reason=detail)
            self._on_events(self, [event])
        elif self.environment is not None:
            self.environment.cancel_nowait(key, kill=kill, detail=detail)

    def forget(self, number: int) -> None:
        """A task is settled: nothing about it is needed any more."""
        self._tried.pop(number, None)

    def is_renewed(self, number: int) -> bool:
        """Whether the environment here is another one than the task was tried in."""
        return self._tried.get(number, self._generation) != self._generation

    def time_of(self, head: Mapping[str, Any], now: float) -> float:
        """Return when an event happened, by our clock."""
        return float(head.get("time", now)) if self._same_clock else now

    # What can run here.

    def knows(self, kind: str) -> bool:
        """Whether it is known if a kind has a runner here."""
        return kind in self._has

    def has(self, kind: str) -> bool:
        """Whether a kind, that is known, has a runner here."""
        return self._has[kind]

    def unknown_kind(self, kind: str) -> str:
        """Say that a kind has no runner here, and which one may have been meant."""
        from difflib import get_close_matches

        known = sorted(each for each, has in self._has.items() if has)
        near = get_close_matches(kind, known, 1)
        hint = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"
        named = f'"{kind}"' if kind.isprintable() else ascii(kind)
        return f"no runner for kind {named} ({hint})"

    async def learn(self, kinds: Sequence[str]) -> None:
        """Ask the agent about kinds; raise LinkError or SpawnError."""
        environment = await self._open()
        self._has.update(await environment.probe(kinds))

    async def fulfil(self, requirement: Requirement, timeout: float) -> None:
        """Have a requirement fulfilled here; raise RequirementError, LinkError or SpawnError."""
        environment = await self._open()
        self._errands += 1
        name = f"requirement-{self._errands}-{requirement.kind}"
        log_dir = f"{self._settings['results_dir']}/requirements/{self._errands}"
        limits = {"timeout": timeout}
        await environment.fulfil(requirement, {"id": name, "log_dir": log_dir, "limits": limits})

    # The environment.

    async def wait_wanted(self) -> None:
        """Wait until somebody needs an environment here."""
        await self._wanted.wait()

    async def hold(self) -> str:
        """Open an environment and stay with it until it is gone; return how it ended.

        Raise SpawnError or LinkError if it cannot be opened.
        """
        try:
            handle = await self._spawner.open(self.place)
        except NrunnerError as error:
            self._fail(error)
            raise
        slots = f"{self._settings['slots_dir']}/{self.place}-{self._generation}"
        settings = {**self._settings, "slots_dir": slots}
        environment = Environment(self.place, handle, settings, self._hear)
        await self._greet(environment, handle)
        self.environment = environment
        self._same_clock = environment.hello.get("boot_id") == boot_id()
        pending, self._pending = self._pending, {}
        for key, frame in pending.items():
            environment.run_nowait(key, frame)
        for opener in self._openers:
            if not opener.done():
                opener.set_result(environment)
        self._openers.clear()
        return await environment.wait_gone()

    def abandon(self) -> list[Key]:
        """Note that the environment is gone; return the attempts that went with it."""
        self.environment = None
        self._wanted.clear()
        self._generation += 1
        self._pending.clear()
        lost = list(self._running)
        self._running.clear()
        return lost

    async def close(self) -> None:
        """End the environment and everything in it."""
        if self.environment is not None:
            await self.environment.close()
            self.environment = None

    async def _greet(self, environment: Environment, handle: Handle) -> None:
        try:
            await environment.open()
        except BaseException as error:
            await handle.destroy()
            if isinstance(error, NrunnerError):
                self._fail(error)
            raise

    def _fail(self, error: NrunnerError) -> None:
        for opener in self._openers:
            if not opener.done():
                opener.set_exception(error)
        self._openers.clear()

    async def _open(self) -> Environment:
        if self.environment is not None:
            return self.environment
        opener: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._openers.append(opener)
        self._wanted.set()
        return await opener

    def _hear(self, _environment: Environment, heads: Sequence[Mapping[str, Any]]) -> None:
        news = [head for head in map(self._checked, heads) if head is not None]
        if news:
            self._on_events(self, news)

    def _checked(self, head: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what is to be believed of an agent's event, None if it is about nothing here."""
        key: Any = head.get("task"), head.get("attempt")
        event = head.get("event")
        is_started = self._running.get(key) if type(key[0]) is type(key[1]) is int else None
        if is_started is None or event not in _EVENTS or (event == "started" and is_started):
            self.refused += 1
            return None
        if event == "started":
            self._running[key] = True
        elif event not in _ASIDES:
            del self._running[key]
            if is_started is not (event == "ended"):
                detail = "its agent contradicts itself about whether it was started"
                if is_started:
                    return _event("ended", key, trouble=detail)
                return _event("not_started", key, reason=detail)
        return head


def _event(event: str, key: Key, **fields: str) -> dict[str, Any]:
    return {"event": event, "task": key[0], "attempt": key[1], **fields}
