"""A place whose attempts have environments of their own, which come and go.

Gives each attempt an environment that begins from the right layer: one that was opened ahead, or a
new one; has what a set of requirements asks for prepared once, in an environment that is kept as a
layer; parts with an environment once its attempt is over. Not responsible for one environment and
what is said there (``nrunner.berth``), nor for when attempts start (``nrunner.machine``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Protocol

from nrunner.berth import Berth, Watcher
from nrunner.environment import Key
from nrunner.errors import RecipeError, RequirementError, SpawnError
from nrunner.result import Cause
from nrunner.runnable import Requirement
from nrunner.runners.registry import KINDS
from nrunner.spawners.base import Layer, Layered, Offer, Sharing, Spawner

__all__ = ["Fleet", "Harbour", "bundle", "is_bundle"]

_BUNDLE = "all of"
"""Kind of a requirement that stands for several, which are met together."""
_OVER = "its attempt is over"
_ENDS = ("ended", "not_started")


class Harbour(Watcher, Protocol):
    """Who is told of what happens at a place, and keeps its environments up."""

    def keep(self, berth: Berth) -> None:
        """Have an environment at a new berth whenever one is wanted."""
        ...

    def assigned(self, berth: Berth, key: Key) -> bool:
        """An attempt is about to be ordered at a berth; return whether it may be."""
        ...

    def backlog(self) -> int:
        """Return how many attempts may still want an environment."""
        ...


def bundle(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    """Return one requirement that stands for all of these; none for none."""
    if not requirements:
        return ()
    parts = sorted({each.key for each in requirements})
    return (Requirement(_BUNDLE, kwargs={"parts": [json.loads(each) for each in parts]}),)


def is_bundle(requirement: Requirement) -> bool:
    """Whether a requirement stands for several."""
    return requirement.kind == _BUNDLE


class Fleet:
    """A place with many berths: as many as are in use at once, and those that were."""

    def __init__(
        self,
        offer: Offer,
        spawner: Spawner,
        harbour: Harbour,
        make: Callable[[str, dict[str, bool], Watcher], Berth],
    ) -> None:
        """`make` makes a berth with a name, with what is known of kinds, and whom it tells."""
        self.place = offer.place
        self._offer = offer
        self._spawner = spawner
        self._harbour = harbour
        self._make = make
        self._has: dict[str, bool] = dict.fromkeys(KINDS, True)
        if isinstance(spawner, Layered):
            self._has.update(dict.fromkeys(spawner.meets, True))
        self._berths: dict[str, Berth] = {}
        self._at: dict[int, Berth] = {}
        """Where a task is under way."""
        self._busy: set[Berth] = set()
        """Where something else than an attempt goes on."""
        self._company: dict[Berth, str] = {}
        """Which suite an environment is for, where a suite shares one."""
        self._leaving: set[Berth] = set()
        self._bases: dict[str, str] = {}
        """The layer on which a set of requirements holds, by its key."""
        self._unready: set[str] = set()
        """Sets of requirements, by key, that trouble of ours kept from being prepared."""
        self._ran: set[int] = set()
        self._learning = asyncio.Lock()

    @property
    def berths(self) -> Sequence[Berth]:
        """All that there are or were."""
        return list(self._berths.values())

    # What can run here: asked of one environment, since all begin alike.

    def knows(self, kind: str) -> bool:
        """Whether it is known if a kind has a runner here."""
        return kind in self._has or kind == _BUNDLE

    def has(self, kind: str) -> bool:
        """Whether a kind, that is known, has a runner here."""
        return self._has[kind]

    def unknown_kind(self, kind: str) -> str:
        """Say that a kind has no runner here, and which one may have been meant."""
        return self._any().unknown_kind(kind)

    async def learn(self, kinds: Sequence[str]) -> None:
        """Ask an agent about kinds; raise LinkError or SpawnError."""
        async with self._learning:
            if all(self.knows(kind) for kind in kinds):
                return
            berth = self._vacant("", "")
            self._busy.add(berth)
            try:
                await berth.learn(kinds)
            finally:
                self._busy.discard(berth)

    async def fulfil(self, requirement: Requirement, timeout: float | None) -> bool:
        """Have a bundle fulfilled, and what holds then kept; return whether that was new.

        Raise RequirementError, LinkError or SpawnError.
        """
        self._unready.discard(requirement.key)
        try:
            return await self._fulfil(requirement, timeout)
        except SpawnError:
            self._unready.add(requirement.key)
            raise

    async def _fulfil(self, requirement: Requirement, timeout: float | None) -> bool:
        parts = [Requirement.from_json(each) for each in requirement.kwargs["parts"]]
        spawner = self._spawner
        if not isinstance(spawner, Layered):
            raise RequirementError(f"nothing can be prepared at {self.place}")
        layer = await spawner.find(self.place, parts)
        base = layer.base
        if layer.missing:
            base = await self._prepare(spawner, layer, parts, timeout)
        self._bases[requirement.key] = base
        return base != layer.base

    async def _prepare(
        self,
        spawner: Layered,
        layer: Layer,
        parts: Sequence[Requirement],
        timeout: float | None,
    ) -> str:
        berth = self._vacant(layer.workshop or layer.base, "")
        self._busy.add(berth)
        try:
            changed = [await _fulfilled(berth, each, timeout) for each in layer.missing]
            return await berth.keep(spawner, parts) if any(changed) else layer.base
        finally:
            self._busy.discard(berth)
            self._part_with(berth)

    # What runs here.

    def accept(self, number: int) -> None:
        """Note that a task is to run here."""

    def note_tried(self, number: int) -> None:
        """Note that a task ran in an environment that was here before."""
        self._ran.add(number)

    def forget(self, number: int) -> None:
        """A task is settled: nothing about it is needed any more."""
        self._ran.discard(number)
        self._at.pop(number, None)

    def is_renewed(self, number: int) -> bool:
        """Whether a task that was tried here would have another environment now."""
        return number in self._ran

    def prepares_again(self, requirements: Sequence[Requirement]) -> bool:
        """Whether what could not be prepared here may well be in another environment."""
        return any(each.key in self._unready for each in bundle(requirements))

    def run_nowait(
        self, order: Mapping[str, Any], requirements: Sequence[Requirement], suite: str
    ) -> None:
        """Have an attempt run in an environment of its own; raise ProtocolError."""
        key = order["task"], order["attempt"]
        base = "".join(self._bases.get(each.key, "") for each in bundle(requirements))
        suite = suite if self._offer.sharing is Sharing.SUITE else ""
        berth = self._shared(base) or self._vacant(base, suite)
        self._company[berth] = suite
        self._ran.add(order["task"])
        self._at[order["task"]] = berth
        if not self._harbour.assigned(berth, key):
            return  # whoever goes on with the job would not find it
        if self._offer.sharing is Sharing.NOBODY:
            # Nobody follows in this environment: what its series shares is torn down at once.
            order = {name: order[name] for name in order if name not in ("series", "next")}
        berth.run_nowait(order)
        self._stock(base)

    def cancel_nowait(self, task: int, attempt: int, *, kill: bool, examine: bool = False) -> None:
        """Have an attempt end early."""
        berth = self._at.get(task)
        if berth is not None:
            berth.cancel_nowait(task, attempt, kill=kill, examine=examine)

    # Berths.

    def has_name(self, name: str) -> bool:
        """Whether a name is that of this place, or of one of its berths, as the journal has it."""
        return name == self.place or self._is_berth(name)

    def berth(self, name: str) -> Berth | None:
        """Return a berth by its name, None if that is the name of none."""
        if not self._is_berth(name):
            return None
        return self._berths.get(name) or self._add(name)

    def _is_berth(self, name: str) -> bool:
        place, _, number = name.rpartition("-")
        return place == self.place and number.isdigit()

    def take_over(self, berth: Berth, keys: Sequence[Key]) -> None:
        """Note what runs in an environment that an earlier controller opened.

        Nobody knows any more from which layer it began: it is for nothing else.
        """
        self._at.update((number, berth) for number, _ in keys)
        self._ran.update(number for number, _ in keys)
        self._leaving.add(berth)

    def settle(self, berth: Berth) -> None:
        """Part with an environment that was taken over if nothing runs there."""
        if berth.is_idle:
            self._part_with(berth)

    def _shared(self, base: str) -> Berth | None:
        """Return where an environment on a layer takes one more attempt, whatever it has."""
        if self._offer.sharing is not Sharing.LAYER:
            return None
        barred = self._leaving | self._busy
        taken = (each for each in self._berths.values() if not each.is_free and each not in barred)
        return next((each for each in taken if each.base == base and each.is_open), None)

    def _vacant(self, base: str, suite: str) -> Berth:
        """Return where an environment on a layer has nothing to do, or where one can be opened."""
        idle = [each for each in self._berths.values() if self._is_vacant(each)]
        fits = [each for each in idle if each.base == base and self._fits(each, suite)]
        if fits:
            # One that is open, rather than one that is about to be.
            return min(fits, key=lambda each: each.environment is None)
        if len(idle) > self._offer.ahead:
            self._part_with(idle[0])
        return self._unused(base)

    def _unused(self, base: str) -> Berth:
        """Return where an environment can be opened on a layer."""
        free = (each for each in self._berths.values() if each.is_free and each not in self._busy)
        berth = next(free, None) or self._add(self._new_name())
        berth.base = base
        self._company.pop(berth, None)
        self._leaving.discard(berth)
        return berth

    def _is_vacant(self, berth: Berth) -> bool:
        return berth.is_idle and berth not in self._busy and berth not in self._leaving

    def _fits(self, berth: Berth, suite: str) -> bool:
        return self._company.get(berth, suite) == suite

    def _add(self, name: str) -> Berth:
        berth = self._berths[name] = self._make(name, self._has, self)
        self._harbour.keep(berth)
        return berth

    def _new_name(self) -> str:
        names = (f"{self.place}-{number}" for number in count(1))
        return next(name for name in names if name not in self._berths)

    def _any(self) -> Berth:
        return next(iter(self._berths.values()), None) or self._add(self._new_name())

    def _stock(self, base: str) -> None:
        """Have environments opened for who comes next: most want what the last one wanted."""
        idle = sum(1 for each in self._berths.values() if self._is_vacant(each))
        for _ in range(min(self._offer.ahead, self._harbour.backlog()) - idle):
            self._unused(base).want_nowait()

    def _part_with(self, berth: Berth) -> None:
        """End an environment, if it is there; its berth is free again once it is gone."""
        if berth.environment is not None:
            self._leaving.add(berth)
            berth.dismiss_nowait(_OVER)

    # What is heard of the berths.

    def opened(self, berth: Berth, generation: int, address: Mapping[str, Any]) -> bool:
        """Tell that an environment was opened; return whether anything may be ordered there."""
        return self._harbour.opened(berth, generation, address)

    def heard(self, berth: Berth, heads: Sequence[Mapping[str, Any]]) -> bool:
        """Tell what an agent said; return whether it is recorded."""
        over = [head["task"] for head in heads if head["event"] in _ENDS]
        for number in over:
            self._at.pop(number, None)
        # All environments here are alike: another one would not suit either.
        self._ran.difference_update(
            head["task"] for head in heads if head.get("cause") == Cause.UNSUITABLE.value
        )
        is_used = bool(over) and berth.is_idle and not self._is_kept(berth)
        if is_used and berth.environment is not None:
            self._leaving.add(berth)  # what follows from this may want one
        recorded = self._harbour.heard(berth, heads)
        if recorded and is_used:
            self._part_with(berth)
        return recorded

    def missing(self, berth: Berth, keys: Sequence[Key]) -> None:
        """Tell which attempts an agent knows nothing of, though it was to run them."""
        for number, _ in keys:
            self._at.pop(number, None)
        self._harbour.missing(berth, keys)

    def closing(self, berth: Berth, why: str) -> None:
        """Pass over that an environment is gone: each one here is for itself."""

    def notice(self, text: str) -> None:
        """Tell what people should know."""
        self._harbour.notice(text)

    def _is_kept(self, berth: Berth) -> bool:
        return self._offer.sharing is not Sharing.NOBODY and berth not in self._leaving


async def _fulfilled(berth: Berth, requirement: Requirement, timeout: float | None) -> bool:
    try:
        return await berth.fulfil(requirement, timeout)
    except (RecipeError, RequirementError) as error:
        raise type(error)(f"{requirement.title}: {error}") from error
