"""The places of a job: environments are opened there, kept up, taken over and closed.

Not responsible for what is to run (``nrunner.scheduler``), for one environment
(``nrunner.berth``), nor for which of many an attempt gets (``nrunner.fleet``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Protocol

from nrunner import candidate
from nrunner.adoption import MOST_CRASHES, Adoption, lost_verdict
from nrunner.berth import Berth, Gone, Watcher
from nrunner.environment import Environment, Key
from nrunner.errors import NrunnerError, SpawnError, TakenOverError
from nrunner.event import Broken, Event, NotStarted
from nrunner.fleet import Fleet, bundle
from nrunner.keeper import Keeper
from nrunner.phase import Phase
from nrunner.result import Cause, Result, Verdict
from nrunner.runnable import Requirement
from nrunner.spawners.base import Offer, Spawner
from nrunner.task import Task

__all__ = ["Office", "Places", "Station"]

_UNKNOWN = "its agent knows nothing of it"
_TOO_LATE = "its environment was still out of reach when the job was stopped"
_STOPPED_WITHIN = 2.0
"""Seconds for which what may be taken over is still waited for once the job is stopped."""
_NO_PLACE = "there is no such place any more"

Station = Berth | Fleet
"""A place: with one environment, or with many."""


class Office(Protocol):
    """Who runs the job: is told what happens at the places."""

    @property
    def has_failed(self) -> bool:
        """Whether the job ends without verdicts on what is left."""
        ...

    def feed(self, *events: Event) -> None:
        """Let events happen."""
        ...

    def note(self, record: Mapping[str, Any]) -> bool:
        """Record what is no event of a task; return whether what follows from it may be done."""
        ...

    def heard(self, berth: Berth, heads: Sequence[Mapping[str, Any]]) -> bool:
        """Have an agent's events happen; return whether they are recorded."""
        ...

    def notice(self, text: str) -> None:
        """Record and tell what people should know, and concerns no task."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Have something done that waits, until the job is over."""
        ...

    def fail(self, error: Exception) -> None:
        """End the job without verdicts on what is left."""
        ...

    def order(self, task: Task, attempt: int, follower: Task | None) -> dict[str, Any]:
        """Return what an agent is told of an attempt."""
        ...

    def stop_again(self, number: int) -> None:
        """Stop a task that was taken over, if that was ordered before it could be."""
        ...

    def phase_of(self, number: int) -> Phase | None:
        """Return where a task is that is under way."""
        ...

    def backlog(self) -> int:
        """Return how many tasks may still be started."""
        ...


class Places:
    """All places of one job."""

    def __init__(
        self, spawner: Spawner, settings: Mapping[str, Any], adoption: Adoption, office: Office
    ) -> None:
        """`adoption` says what to take over from an earlier controller of the job."""
        self._spawner = spawner
        self._settings = settings
        self._adoption = adoption
        self._office = office
        self._offers = {offer.place: offer for offer in spawner.offers()}
        self._stations = {name: self._station(offer) for name, offer in self._offers.items()}
        self._adopting: set[asyncio.Timeout] = set()
        """How long it is still tried to take over environments."""
        self._keepers = {
            name: Keeper(offer, spawner, office, self._use)
            for name, offer in self._offers.items()
            if offer.is_pooled
        }

    @property
    def environments(self) -> Sequence[Environment]:
        """The environments that are open now."""
        return [each.environment for each in self._berths() if each.environment]

    def station(self, place: str) -> Station:
        """Return a place by its name."""
        return self._stations[place]

    def has(self, place: str) -> bool:
        """Whether there is a place of this name: one of an earlier controller may be gone."""
        return place in self._stations

    def has_many(self, place: str) -> bool:
        """Whether each attempt at a place is assigned an environment of its own."""
        return isinstance(self._stations[place], Fleet)

    def candidates(self, task: Task, avoid: Sequence[str]) -> tuple[list[Station], str]:
        """Return the places where a task may run, and why it may not at the others.

        They are those where it was not tried, or else whose environment is a new one since, or
        else those that are given up; of places that are not pooled, the first. Raise RecipeError.
        """
        fresh: list[Station] = []
        renewed: list[Station] = []
        given_up: list[Station] = []
        reasons = []
        for place, station in self._stations.items():
            why = candidate.misfit(self._offers[place], task.runnable.requirements)
            if not why and place not in avoid:
                (given_up if self._is_given_up(place) else fresh).append(station)
            elif not why and self._is_renewed(station, task):
                renewed.append(station)
            else:
                reasons.append(f"{place}: {why or 'it was tried there'}")
        found = fresh or renewed or given_up
        is_pooled = bool(found) and self._offers[found[0].place].is_pooled
        return (found if is_pooled else found[:1]), "; ".join(reasons)

    def _is_renewed(self, station: Station, task: Task) -> bool:
        """Whether a task would get another environment at a place than it was tried in."""
        if self._is_given_up(station.place):
            return False
        if isinstance(station, Fleet) and station.prepares_again(task.runnable.requirements):
            return True
        keeper = self._keepers.get(station.place)
        return station.is_renewed(task.number) or (keeper is not None and bool(keeper.sickness))

    def _is_given_up(self, place: str) -> bool:
        keeper = self._keepers.get(place)
        return keeper is not None and keeper.is_given_up

    def needs(
        self, station: Station, requirements: Sequence[Requirement]
    ) -> tuple[Requirement, ...]:
        """Return what has to be fulfilled at a place for these: where layers are kept, at once."""
        own = candidate.for_agents(requirements)
        return bundle(own) if isinstance(station, Fleet) else own

    async def learn(self, station: Station, kinds: Sequence[str]) -> None:
        """Ask an agent at a place about kinds; raise LinkError or SpawnError."""
        keeper = self._keepers.get(station.place)
        if keeper is not None:
            if keeper.is_given_up:
                raise SpawnError(f"ask the agent at {station.place}: {keeper.reason}")
            keeper.open_nowait()
        await station.learn(kinds)

    def facts(self) -> dict[str, dict[str, Any]]:
        """Return how the pooled places are that were used, or could not be, for reports."""
        found = {place: keeper.facts() for place, keeper in self._keepers.items()}
        return {place: facts for place, facts in found.items() if facts["opened"] or len(facts) > 2}

    def open_nowait(self, place: str) -> None:
        """Have an environment opened at a pooled place."""
        self._keepers[place].open_nowait()

    def release_nowait(self, place: str) -> None:
        """Have the environment at a pooled place end."""
        station = self._stations[place]
        assert isinstance(station, Berth)
        self._keepers[place].release_nowait(station)

    def run_nowait(self, place: str, task: Task, order: Mapping[str, Any]) -> None:
        """Have an attempt run at a place; raise ProtocolError."""
        station = self._stations[place]
        if isinstance(station, Fleet):
            station.run_nowait(order, task.runnable.requirements, task.suite)
        else:
            station.run_nowait(order)

    def follow_nowait(self, number: int, stream: str) -> str:
        """Have what a task prints, that runs somewhere, in a file here; return its folder.

        Nothing if it is seen in the folder that its agent tells.
        """
        folders = (each.follow_nowait(number, stream) for each in self._berths())
        return next(filter(None, folders), "")

    def forget(self, number: int) -> None:
        """A task is settled: nothing about it is needed any more."""
        for station in self._stations.values():
            station.forget(number)

    async def open(self) -> None:
        """Take over what is left of an earlier controller, and open what is wanted from now on."""
        await self._adopt()
        for station in self._stations.values():
            if isinstance(station, Berth):
                self.keep(station)
                self._go_on_with(station)

    def _go_on_with(self, berth: Berth) -> None:
        """Have a pooled place opened where an earlier controller has left something to do."""
        keeper = self._keepers.get(berth.place)
        if keeper is not None and berth.is_open:
            keeper.open_nowait()
            if berth.environment is not None:
                keeper.opened()

    async def close(self, *, leave: bool) -> None:
        """End all environments; with `leave` what runs there is for another controller."""
        async with asyncio.TaskGroup() as group:
            for berth in self._berths():
                end = berth.leave if leave else berth.close
                group.create_task(end(), name=f"close {berth.place}")

    # What berths and fleets ask for.

    def keep(self, berth: Berth) -> None:
        """Have an environment at a berth whenever one is wanted."""
        keeper = self._keepers.get(berth.place)
        work = self._keep(berth) if keeper is None else keeper.keep(berth)
        self._office.spawn(work, f"keep {berth.place}")

    def assigned(self, berth: Berth, key: Key) -> bool:
        """Record that an attempt is about to be ordered at a berth; return whether it may be."""
        number, attempt = key
        record = {"type": "assigned", "task": number, "attempt": attempt, "place": berth.place}
        return self._office.note(record)

    def backlog(self) -> int:
        """Return how many tasks may still be started."""
        return self._office.backlog()

    def opened(self, berth: Berth, generation: int, address: Mapping[str, Any]) -> bool:
        """Record where an environment is found again; return whether anything may be ordered."""
        is_recorded = self._office.note(
            {
                "type": "environment",
                "place": berth.place,
                "generation": generation,
                "address": address,
            }
        )
        keeper = self._keepers.get(berth.place)
        if keeper is not None:
            keeper.opened()
        return is_recorded

    def heard(self, berth: Berth, heads: Sequence[Mapping[str, Any]]) -> bool:
        """Tell what an agent said; return whether it is recorded."""
        keeper = self._keepers.get(berth.place)
        if keeper is None:
            return self._office.heard(berth, heads)
        why = next(filter(None, map(_trouble_in, heads)), "")
        if why:
            keeper.sicken(why)
        elif not keeper.has_served and any(head["event"] == "ended" for head in heads):
            self._office.spawn(keeper.served(), f"note that {berth.place} is of use")
        recorded = self._office.heard(berth, heads)
        if keeper.sickness and berth.is_idle:
            berth.dismiss_nowait(keeper.sickness)
        return recorded

    def closing(self, berth: Berth, why: str) -> None:
        """Tell that a place is in trouble before what was lost there is told."""
        keeper = self._keepers.get(berth.place)
        if keeper is not None:
            keeper.closing(why)

    def missing(self, berth: Berth, keys: Sequence[Key]) -> None:
        """End attempts of which the agent that was to run them knows nothing."""
        self._break(keys, lambda key: self._lost(key, _UNKNOWN, begun=self._is_begun(key)))

    def notice(self, text: str) -> None:
        """Tell what people should know."""
        self._office.notice(text)

    def _is_begun(self, key: Key) -> bool:
        return self._office.phase_of(key[0]) is Phase.STARTED

    # Making them.

    def _station(self, offer: Offer) -> Station:
        if offer.is_shared:
            return self._berth(offer, offer.place, None, self)

        def make(name: str, has: dict[str, bool], watcher: Watcher) -> Berth:
            return self._berth(offer, name, has, watcher)

        return Fleet(offer, self._spawner, self, make)

    def _berth(
        self, offer: Offer, name: str, has: dict[str, bool] | None, watcher: Watcher
    ) -> Berth:
        return Berth(
            offer,
            self._spawner,
            self._settings,
            watcher,
            epoch=self._adoption.epoch,
            generation=self._adoption.generation(name),
            name=name,
            has=has,
        )

    def _berths(self) -> list[Berth]:
        return [berth for station in self._stations.values() for berth in station.berths]

    # Taking over.

    async def _adopt(self) -> None:
        """Take over the environments that are left, with what runs there."""
        adoption = self._adoption
        for number, places in adoption.tried.items():
            for place in places & self._stations.keys():
                self._stations[place].note_tried(number)
        # All at once: one that does not answer holds up nobody but itself.
        async with asyncio.TaskGroup() as group:
            for place in adoption.places:
                group.create_task(self._adopt_at(place), name=f"take over {place}")

    async def _adopt_at(self, place: str) -> None:
        running = self._adoption.running.get(place, {})
        berth, address = self._berth_named(place), self._adoption.addresses.get(place)
        if berth is None:
            self._break(running, lambda key: self._lost(key, _NO_PLACE, begun=True))
        elif address is None:
            self._order_again(berth, running)
        else:
            try:
                async with asyncio.timeout(None) as bound:
                    self._adopting.add(bound)
                    await self._take_over(berth, address, running)
            except TimeoutError:
                berth.abandon()
                self._break(running, lambda key: self._lost(key, _TOO_LATE, begun=True))
            finally:
                self._adopting.discard(bound)
        for number, _ in running:
            self._office.stop_again(number)

    def hurry(self) -> None:
        """The job is stopped: wait no longer for what may be taken over, but for a moment."""
        soon = asyncio.get_running_loop().time() + _STOPPED_WITHIN
        for bound in self._adopting:
            bound.reschedule(soon)

    async def _take_over(
        self, berth: Berth, address: Mapping[str, Any], running: Mapping[Key, bool]
    ) -> None:
        orders = {key: self._order(key) for key in running}
        for key in orders:
            berth.expect(orders[key])
        for key in self._may_repeat(running):
            berth.order_later(orders[key])
        fleet = self._fleet_of(berth.place)
        if fleet is not None:
            fleet.take_over(berth, [*running])
        try:
            gone = await berth.adopt(address, running)
        except SpawnError as error:
            # It may live: nobody can say what became of what was ordered there.
            berth.abandon()
            why = f"its environment could not be taken over: could not {error}"
            self._break(running, lambda key: self._lost(key, why, begun=True))
            return
        if gone is not None:
            await self._bury(berth, gone, self._lost)
        elif fleet is not None:
            fleet.settle(berth)

    def _berth_named(self, name: str) -> Berth | None:
        station = self._stations.get(name)
        if isinstance(station, Berth):
            return station
        fleet = self._fleet_of(name)
        return None if fleet is None else fleet.berth(name)

    def _fleet_of(self, name: str) -> Fleet | None:
        """Return the fleet with this name, or with a berth of this name."""
        fleets = (each for each in self._stations.values() if isinstance(each, Fleet))
        return next((each for each in fleets if each.has_name(name)), None)

    def _order(self, key: Key) -> Mapping[str, Any]:
        return self._office.order(self._adoption.tasks[key], key[1], None)

    def _may_repeat(self, running: Mapping[Key, bool]) -> list[Key]:
        """Return the attempts that can be ordered again, if nobody has them."""
        crashes = self._adoption.crashes
        return [key for key in running if not running[key] and crashes[key] < MOST_CRASHES]

    def _order_again(self, berth: Berth, running: Mapping[Key, bool]) -> None:
        """Order what was never sent: no environment was open, or the journal would know."""
        is_one_of_many = self._fleet_of(berth.place) is not None
        again = [] if is_one_of_many else self._may_repeat(running)
        for key in again:
            berth.run_nowait(self._order(key))
        rest = [key for key in running if key not in again]
        self._break(rest, lambda key: self._lost(key, _NO_PLACE, begun=running[key]))

    # Keeping them up.

    async def _keep(self, berth: Berth) -> None:
        """Have an environment at a berth whenever something is to run there."""
        while True:
            await berth.wait_wanted()
            # What could not be opened is told by the ends of what waited for it.
            with contextlib.suppress(NrunnerError):
                await self._use(berth)

    async def _use(self, berth: Berth) -> str:
        """Open an environment and stay with it to its end; return how it ended.

        Raise NrunnerError if it could not be opened.
        """
        try:
            gone = await berth.hold()
        except NrunnerError as error:
            verdict = Verdict(Result.ERROR, Cause.INFRA, f"could not {error}")
            lost = berth.abandon()
            now = time.monotonic()
            # Those that are under way already were to go on here after a reboot.
            ends = ((Broken if self._is_begun(key) else NotStarted, key) for key in lost)
            self._office.feed(*(end(now, *key, verdict) for end, key in ends))
            raise
        await self._bury(berth, gone, _broken)
        return gone.why

    async def _bury(self, berth: Berth, gone: Gone, verdict: Callable[..., Verdict]) -> None:
        """End what an environment that is gone took with it, then remove what is left of it."""
        if gone.is_replaced:
            self._office.fail(TakenOverError(f"go on: {gone.why}"))
            return
        self._break(gone.lost, lambda key: verdict(key, gone.why, begun=key in gone.begun))
        place, generation = berth.place, gone.generation
        self._office.note({"type": "gone", "place": place, "generation": generation})
        if not self._office.has_failed:
            await berth.clear()

    def _break(self, keys: Iterable[Key], verdict: Callable[[Key], Verdict]) -> None:
        now = time.monotonic()
        self._office.feed(*(Broken(now, *key, verdict(key)) for key in keys))

    def _lost(self, key: Key, why: str, *, begun: bool) -> Verdict:
        return lost_verdict(why, begun=begun, crashes=self._adoption.crashes.get(key, 0))


def _trouble_in(head: Mapping[str, Any]) -> str:
    """Return what an event tells of trouble that is the place's own; empty for any other."""
    if head["event"] == "not_started" and head.get("cause") == Cause.INFRA.value:
        return str(head.get("reason"))
    return str(head.get("trouble") or "") if head["event"] == "ended" else ""


def _broken(_key: Key, why: str, *, begun: bool) -> Verdict:
    del begun  # what was not begun is tried again as carefully: it may have been what ended it
    return Verdict(Result.ERROR, Cause.INFRA, f"its environment is gone: {why}")
