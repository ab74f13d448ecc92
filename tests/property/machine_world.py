"""What stands for the scheduler and all places where the machine is tried at random.

`World` remembers which actions are not answered yet, and holds a second, simpler account of every
task against the machine's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from nrunner.action import (
    Fulfil,
    Move,
    OpenPlace,
    Release,
    Retried,
    Settle,
    Start,
    StopAttempt,
    StopFulfilment,
    Triage,
)
from nrunner.ending import Ending, Stop
from nrunner.event import (
    Begin,
    Broken,
    Cancelled,
    Closed,
    Ended,
    GivenUp,
    Met,
    NotStarted,
    Opened,
    Refused,
    Started,
    StopAll,
    Triaged,
    Unmet,
    Usable,
)
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.phase import Phase, is_legal
from nrunner.result import Cause, Result, Verdict
from nrunner.runnable import Requirement, Runnable
from nrunner.settlement import LeakPolicy, judge, never_started
from nrunner.task import Task
from nrunner.taskstate import TaskState

RUNNING = (Phase.STARTING, Phase.STARTED)
OWN = (Cause.TEST, Cause.CONTRACT, Cause.TIMEOUT)
REQUIREMENTS = tuple(Requirement("file", name) for name in "xyz")
PLACES = ("here", "there", "yonder")

INFRA = Verdict(Result.ERROR, Cause.INFRA, "agent died")
UNSUITABLE = Verdict(Result.SKIP, Cause.UNSUITABLE, "too old")
NOT_HERE = Verdict(Result.SKIP, Cause.REQUIREMENT, "not there")
MALFORMED = Verdict(Result.ERROR, Cause.MALFORMED, "no such kind")
LOST = Verdict(Result.ERROR, Cause.LOST, "unknown")

NOT_STARTED = st.sampled_from([INFRA, UNSUITABLE, NOT_HERE, MALFORMED])
BROKEN = st.sampled_from([INFRA, LOST])
UNMET = st.sampled_from([NOT_HERE, INFRA, MALFORMED])
REFUSED = st.sampled_from([UNSUITABLE, INFRA, MALFORMED])
ORDERED = st.sampled_from(
    [
        *(Verdict(each, Cause.CANCELLED, "why") for each in (Result.CANCEL, Result.INTERRUPT)),
        Verdict(Result.INTERRUPT, Cause.TIMEOUT, "job limit"),
    ]
)
LEFT = ({"pid": 7, "command": "sleep"},)
ENDINGS = st.one_of(
    st.builds(
        Ending,
        st.sampled_from([Result.PASS, Result.PASS, Result.FAIL, Result.SKIP, Result.WARN, None]),
        contract=st.booleans(),
        leaks=st.sampled_from([(), LEFT]),
    ),
    st.builds(
        Ending,
        st.none(),
        stop=st.sampled_from([Stop.TIMEOUT, Stop.SILENCE, Stop.ORPHANED]),
        unkillable=st.sampled_from([(), LEFT]),
    ),
    st.just(Ending(None, malformed=True)),
)


@dataclass
class Twin:
    """What the world knows of one task, from the machine's actions alone."""

    task: Task
    phases: list[Phase] = field(default_factory=lambda: [Phase.REQUESTED])
    moved: bool = False
    place: str = ""
    places: list[str] = field(default_factory=list)
    choice: tuple[str, ...] = ()
    """The pooled places of which it waits for one."""
    attempt: int = 0
    alone: bool = False
    ordered: Verdict | None = None
    stops: list[bool] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    settled: Settle | None = None

    @property
    def phase(self) -> Phase:
        return self.phases[-1]

    @property
    def is_live(self) -> bool:
        return self.moved and self.settled is None


@dataclass(frozen=True)
class Plan:
    """A job, and how often it is interfered with."""

    tasks: list[tuple[str, list[Requirement], int, bool, str]]
    together: int
    most: int
    slots: list[int]
    in_order: bool
    fail_fast: bool
    dry_run: bool
    lookahead: int
    leak: LeakPolicy
    stops: int
    cancels: int
    pooled: bool = False
    taken: int = 0
    """How many tasks an earlier controller saw begin, at most."""


class World:
    """Answers actions in any order, and what nobody asked for on top."""

    def __init__(self, plan: Plan, draw: Callable[..., Any]) -> None:
        self.draw = draw
        self.stops, self.cancels, self.late = plan.stops, plan.cancels, 4
        self.time = 0.0
        self.twins: dict[int, Twin] = {}
        for number, (suite, needs, retries, idempotent, series) in enumerate(plan.tasks, 1):
            task = Task(
                number,
                f"{number}-noop",
                Runnable("noop", requirements=tuple(needs)),
                suite=suite,
                retries=retries,
                idempotent=idempotent,
                series=series,
            )
            self.twins[number] = Twin(task)
        self.together = plan.together
        self.most, self.in_order = plan.most, plan.in_order
        self.fail_fast, self.leak = plan.fail_fast, plan.leak
        self.slots = dict(zip(PLACES, plan.slots, strict=False))
        self.limits = Limits(plan.most)
        for place, count in self.slots.items():
            self.limits.set_place(place, count)
        self.room = plan.most + plan.lookahead
        self.machine = Machine(
            [twin.task for twin in self.twins.values()],
            self.limits,
            in_order=plan.in_order,
            fail_fast=plan.fail_fast,
            dry_run=plan.dry_run,
            leak=plan.leak,
            lookahead=plan.lookahead,
            together=plan.together,
            pooled=self.slots if plan.pooled else {},
        )
        self.how = dict.fromkeys(self.slots if plan.pooled else (), "closed")
        self.halted = plan.dry_run
        self.begun = False
        self.triages: list[Triage] = []
        self.fulfils: list[Fulfil] = []
        self.doomed: list[Fulfil] = []
        """Fulfilments whose environment is gone."""
        self.met: set[tuple[str, str]] = set()
        self.history: list[object] = []
        self.found: set[str] = set()
        """Pooled places whose environment is to be taken over."""
        self.take_over(0 if plan.dry_run else plan.taken)

    # Feeding, and reading what comes back.

    def feed(self, event):
        self.history.append(event)
        actions = self.machine.handle(event)
        for action in actions:
            getattr(self, f"see_{type(action).__name__.lower()}")(action)
        preparing = self.having(Phase.PREPARING)
        wanted = {key for twin in preparing for key in self.needs(twin)}
        assert self.pending() <= wanted, "it is fulfilled for nobody"
        return actions

    def now(self) -> float:
        self.time += 1.0
        return self.time

    def see_move(self, move: Move) -> None:
        twin = self.twins[move.number]
        assert twin.settled is None
        assert is_legal(twin.phase, move.phase), (twin.phases, move.phase)
        assert move.time == self.time
        if self.how and move.phase in (Phase.PREPARING, Phase.READY) and twin.choice:
            twin.place = self.machine.state(move.number).place
            assert twin.place in twin.choice
            assert self.how[twin.place] == "open"
            twin.places.append(twin.place)
            twin.choice = ()
        is_back = isinstance(self.history[-1], (Closed, GivenUp)) and not twin.phase.is_end
        if is_back and move.phase is Phase.TRIAGING and twin.phase is not Phase.REQUESTED:
            twin.choice = self.machine.state(move.number).choice
        if move.phase is Phase.READY:
            assert self.needs(twin) <= self.met
        twin.phases.append(move.phase)
        twin.moved = True

    def see_triage(self, triage: Triage) -> None:
        twin = self.twins[triage.task.number]
        assert twin.phase is Phase.TRIAGING
        assert not self.halted
        assert self.begun or twin.attempt
        assert not [each for each in self.triages if each.task is triage.task]
        self.may_go(twin)
        twin.choice = ()
        self.triages.append(triage)

    def see_openplace(self, action: OpenPlace) -> None:
        assert self.how[action.place] == "closed"
        assert any(action.place in each.choice for each in self.twins.values())
        self.how[action.place] = "wanted"

    def see_release(self, action: Release) -> None:
        assert self.how[action.place] == "open"
        assert not [
            each for each in self.live() if each.place == action.place and each.phase in RUNNING
        ]
        self.how[action.place] = "closed"
        self.environment_ended(action.place)

    def see_fulfil(self, fulfil: Fulfil) -> None:
        assert fulfil not in self.fulfils
        assert (fulfil.place, fulfil.requirement.key) not in self.met
        self.fulfils.append(fulfil)

    def see_stopfulfilment(self, stop: StopFulfilment) -> None:
        keys = [(each.place, each.requirement.key) for each in self.fulfils]
        del self.fulfils[keys.index((stop.place, stop.key))]

    def see_start(self, start: Start) -> None:
        twin = self.twins[start.task.number]
        assert twin.phase is Phase.STARTING
        assert not self.halted
        assert twin.ordered is None
        assert start.place == twin.place
        assert not self.how or self.how[start.place] == "open"
        assert start.attempt == twin.attempt + 1
        assert len(twin.verdicts) == twin.attempt
        assert self.needs(twin) <= self.met
        self.may_go(twin)
        if start.follower is not None:
            self.may_follow(twin, start.follower)
        twin.attempt = start.attempt
        self.room_holds()

    def see_stopattempt(self, stop: StopAttempt) -> None:
        twin = self.twins[stop.number]
        assert twin.phase in RUNNING
        assert (stop.attempt, stop.place) == (twin.attempt, twin.place)
        twin.stops.append(stop.kill)
        assert twin.stops in ([False], [True], [False, True])

    def see_retried(self, retried: Retried) -> None:
        twin = self.twins[retried.number]
        assert twin.phase.is_end
        assert retried.attempt.number == twin.attempt
        assert retried.attempt.verdict == twin.verdicts[-1]

    def see_settle(self, settle: Settle) -> None:
        twin = self.twins[settle.task.number]
        assert twin.settled is None
        twin.settled = settle
        phases = [phase for phase, _ in settle.phases]
        assert phases == twin.phases
        assert phases[-1].is_end
        times = [time for _, time in settle.phases]
        assert times == sorted(times)
        assert [each.number for each in settle.attempts] == list(range(1, twin.attempt + 1))
        self.verdict_holds(twin, settle)
        self.triages = [each for each in self.triages if each.task is not settle.task]
        if self.fail_fast and not settle.verdict.result.is_ok:
            self.halted = True

    def verdict_holds(self, twin: Twin, settle: Settle) -> None:
        verdicts = [each.verdict for each in settle.attempts]
        own = [each for each in verdicts if each.cause in OWN and not each.result.is_ok]
        assert len(own) <= twin.task.retries + 1
        assert sum(1 for each in verdicts if each.cause is Cause.INFRA) <= 3
        assert verdicts == twin.verdicts
        if own and settle.verdict.result.is_ok:
            assert settle.verdict.result is Result.WARN
            assert verdicts[-1].result in (Result.PASS, Result.WARN)
        if settle.verdict.result is Result.PASS:
            assert verdicts[-1] == settle.verdict
        if not verdicts:
            assert twin.phase is Phase.DISCARDED

    def needs(self, twin: Twin) -> set[tuple[str, str]]:
        return {(twin.place, each.key) for each in twin.task.runnable.requirements}

    def may_go(self, twin: Twin) -> None:
        """Check that nothing of a suite before this one is open, where suites go in order."""
        suites = list(dict.fromkeys(each.task.suite for each in self.twins.values()))
        before = suites[: suites.index(twin.task.suite)] if self.in_order else ()
        assert all(each.settled for each in self.twins.values() if each.task.suite in before)

    def may_follow(self, twin: Twin, follower: Task) -> None:
        assert not twin.alone
        assert follower.series == twin.task.series != ""
        assert follower.number > twin.task.number
        other = self.twins[follower.number]
        assert other.settled is None
        assert other.phase not in RUNNING

    def is_full(self, twin: Twin) -> bool:
        """Whether enough of a task's series are ordered where it would run."""
        running = [each for each in self.having(*RUNNING) if each.place == twin.place]
        return self.is_full_of(twin.task.series, running)

    def is_full_of(self, series: str, running: list[Twin]) -> bool:
        """Whether enough of a series are among those that run at a place."""
        ordered = [each for each in running if each.task.series == series]
        assert not series or len(ordered) <= max(self.together, 1)
        return bool(series) and len(ordered) == self.together

    def room_holds(self) -> None:
        running = [each for each in self.twins.values() if each.phase in RUNNING]
        assert len(running) <= self.most
        for place, count in Counter(each.place for each in running).items():
            is_alone = any(each.alone for each in running if each.place == place)
            assert count <= (1 if is_alone else self.slots[place])

    def take_over(self, count: int) -> None:
        """Have the machine go on with tasks that run already."""
        twins = list(self.twins.values())
        for twin in twins[:count]:
            place = self.draw(st.sampled_from(list(self.slots)))
            there = [each for each in self.having(*RUNNING) if each.place == place]
            is_early = self.in_order and twin.task.suite != twins[0].task.suite
            is_full = len(there) == self.slots[place] or len(self.live()) == self.most
            if is_early or is_full or self.is_full_of(twin.task.series, there):
                continue
            twin.phases += [Phase.TRIAGING, Phase.READY, *RUNNING]
            twin.moved, twin.attempt = True, 1
            twin.place, twin.places = place, [place]
            self.found.update({place} & self.how.keys())
        self.machine.restore({}, [self.state_of(twin) for twin in self.live()])

    def state_of(self, twin: Twin) -> TaskState:
        state = TaskState(twin.task, 0.0)
        state.entered = [(phase, 0.0) for phase in twin.phases]
        state.phase, state.attempt, state.place = twin.phase, twin.attempt, twin.place
        state.requirements = twin.task.runnable.requirements
        return state

    def having(self, *phases: Phase) -> list[Twin]:
        return [each for each in self.twins.values() if each.is_live and each.phase in phases]

    # What may happen.

    def possible(self) -> list[Callable[[], None]]:
        """Return what may happen now; what furthers the job more often than what disturbs it."""
        starting, started = self.having(Phase.STARTING), self.having(Phase.STARTED)
        found: list[tuple[Any, int, Callable[[], None]]] = [
            (not self.begun, 3, self.begin),
            (self.triages, 4, self.triage_is_answered),
            (self.fulfils, 3, self.preparation_ends),
            (starting, 4, self.payload_runs),
            (starting, 1, self.payload_does_not_start),
            (started, 4, self.payload_ends),
            (any(each.stops for each in started), 4, self.payload_is_stopped),
            ((starting or started) and not self.how, 1, self.environment_is_gone),
            (self.twins and self.cancels, 1, self.task_is_cancelled),
            (self.stops, 1, self.job_is_stopped),
            (self.late and self.outdated(), 1, self.news_come_late_or_twice),
            (self.found, 6, self.place_is_taken_over),
            (self.opening(), 4, self.opening_ends),
            (self.places_that_are("barred"), 2, self.place_is_usable),
            (self.places_that_are("open"), 1, self.place_is_gone),
        ]
        return [event for may, weight, event in found if may for _ in range(weight)]

    def begin(self):
        self.begun = True
        self.feed(Begin(self.now()))

    def pick(self, found):
        return self.draw(st.sampled_from(found))

    def triage_is_answered(self):
        triage = self.triages.pop(self.draw(st.integers(0, len(self.triages) - 1)))
        # A place may have become a new one since the task was tried there.
        renewed = self.draw(st.integers(0, 3)) == 3
        refused = self.draw(REFUSED) if self.draw(st.integers(0, 6)) == 6 else None
        self.answer_triage(triage, refused, renewed)

    def answer_triage(self, triage, refused=None, renewed=False):
        twin = self.twins[triage.task.number]
        assert set(triage.avoid) <= set(twin.places)
        fit = [place for place in self.slots if renewed or place not in triage.avoid]
        if refused is not None or not fit:
            verdict = refused or Verdict(Result.SKIP, Cause.UNSUITABLE, "nowhere else")
            self.feed(Refused(self.now(), twin.task.number, verdict))
            return
        needs = twin.task.runnable.requirements
        if self.how:
            some = [each for each in fit if self.draw(st.booleans())] or fit
            twin.choice = tuple(some)
            self.feed(Triaged(self.now(), twin.task.number, some[0], needs, tuple(some[1:])))
            return
        twin.place = self.pick(fit)
        twin.places.append(twin.place)
        self.feed(Triaged(self.now(), twin.task.number, twin.place, needs))

    def preparation_ends(self):
        fulfil = self.fulfils.pop(self.draw(st.integers(0, len(self.fulfils) - 1)))
        self.answer_fulfil(fulfil, self.draw(st.one_of(st.none(), st.none(), UNMET)))

    def answer_fulfil(self, fulfil, unmet=None):
        place, key = fulfil.place, fulfil.requirement.key
        if any(fulfil is each for each in self.doomed):
            unmet = INFRA
        if unmet is not None:
            self.feed(Unmet(self.now(), place, key, unmet))
        else:
            self.met.add((place, key))
            self.feed(Met(self.now(), place, key))

    # Pooled places.

    def places_that_are(self, how):
        return [place for place, each in self.how.items() if each == how]

    def opening(self):
        return [each for each in self.places_that_are("wanted") if each not in self.found]

    def opening_ends(self):
        self.answer_opening(self.pick(self.opening()), self.draw(st.integers(0, 5)))

    def place_is_taken_over(self):
        place = self.pick(sorted(self.found))
        self.found.discard(place)
        self.answer_opening(place)

    def answer_opening(self, place, luck=0):
        if luck < 4:
            self.how[place] = "open"
            self.feed(Opened(self.now(), place))
        elif luck == 4:
            self.how[place] = "barred"
            self.feed(Closed(self.now(), place, "unreachable"))
        else:
            self.how[place] = "given up"
            self.feed(GivenUp(self.now(), place, "another host key"))

    def environment_ended(self, place):
        self.met = {each for each in self.met if each[0] != place}
        self.doomed += [each for each in self.fulfils if each.place == place]

    def place_is_usable(self):
        place = self.pick(self.places_that_are("barred"))
        self.how[place] = "closed"
        self.feed(Usable(self.now(), place))

    def place_is_gone(self):
        place = self.pick(self.places_that_are("open"))
        self.how[place] = "barred"
        self.environment_ended(place)
        self.feed(Closed(self.now(), place, "power cut"))
        for twin in [each for each in self.having(*RUNNING) if each.place == place]:
            self.break_off(twin, self.draw(BROKEN))

    def payload_runs(self):
        twin = self.pick(self.having(Phase.STARTING))
        self.feed(Started(self.now(), twin.task.number, twin.attempt))

    def attempt_ends(self, twin, verdict, event):
        twin.verdicts.append(verdict)
        self.feed(event)
        if twin.is_live and twin.phase not in RUNNING:
            twin.stops.clear()

    def payload_does_not_start(self):
        twin, verdict = self.pick(self.having(Phase.STARTING)), self.draw(NOT_STARTED)
        event = NotStarted(self.now(), twin.task.number, twin.attempt, verdict)
        self.attempt_ends(twin, never_started(twin.ordered) if twin.ordered else verdict, event)

    def environment_is_gone(self):
        self.break_off(self.pick(self.having(*RUNNING)), self.draw(BROKEN))

    def break_off(self, twin, verdict):
        twin.alone = True
        self.met = {each for each in self.met if each[0] != twin.place}
        event = Broken(self.now(), twin.task.number, twin.attempt, verdict)
        self.attempt_ends(twin, twin.ordered or verdict, event)

    def payload_ends(self):
        self.end(self.pick(self.having(Phase.STARTED)), self.draw(ENDINGS))

    def payload_is_stopped(self):
        stopped = [each for each in self.having(Phase.STARTED) if each.stops]
        self.end(self.pick(stopped), Ending(None, stop=Stop.CANCELLED))

    def end(self, twin, ending):
        verdict = judge(ending, twin.ordered, self.leak)
        if ending.stop is Stop.CANCELLED:
            assert verdict == twin.ordered
        attempts = self.machine.state(twin.task.number).attempts
        event = Ended(self.now(), twin.task.number, twin.attempt, ending)
        self.attempt_ends(twin, verdict, event)
        assert attempts[-1].verdict == verdict
        assert attempts[-1].ending is ending

    def task_is_cancelled(self):
        self.cancels -= 1
        twin = self.pick(list(self.twins.values()))
        verdict, kill = self.draw(ORDERED), self.draw(st.booleans())
        ignored = self.machine.ignored
        if twin.settled is not None:
            assert self.feed(Cancelled(self.now(), twin.task.number, verdict, kill)) == []
            assert self.machine.ignored == ignored + 1
            return
        running = twin.phase in RUNNING
        if running and twin.ordered is None:
            twin.ordered = verdict
        self.feed(Cancelled(self.now(), twin.task.number, verdict, kill))
        assert running or twin.settled is not None
        assert not running or (twin.stops and (twin.stops[-1] or not kill))

    def job_is_stopped(self):
        if self.draw(st.integers(0, 3)) < 3:
            return  # rarely at once: most of what can go wrong does so later
        self.stops -= 1
        waiting, running, kill = self.draw(ORDERED), self.draw(ORDERED), self.draw(st.booleans())
        for twin in self.having(*RUNNING):
            twin.ordered = twin.ordered or running
        self.halted = True
        self.feed(StopAll(self.now(), waiting, running, kill))
        assert all(each.phase in RUNNING and each.stops for each in self.live())

    def live(self) -> list[Twin]:
        return [each for each in self.twins.values() if each.is_live]

    def outdated(self) -> list[object]:
        """Return the events that were true once and cannot change anything now."""
        return [event for event in self.history if self.is_outdated(event)]

    def is_outdated(self, event) -> bool:
        if isinstance(event, Met):
            return (event.place, event.key) not in self.pending()
        twin = self.twins.get(getattr(event, "number", 0))
        if twin is None or twin.settled is not None:
            return twin is not None
        is_news = isinstance(event, (Started, NotStarted, Ended, Broken))
        return is_news and (event.attempt < twin.attempt or len(twin.verdicts) == twin.attempt)

    def pending(self) -> set[tuple[str, str]]:
        return {(each.place, each.requirement.key) for each in self.fulfils}

    def news_come_late_or_twice(self):
        self.late -= 1
        event = self.pick(self.outdated())
        ignored = self.machine.ignored
        assert self.machine.handle(event) == []
        assert self.machine.ignored == ignored + (not isinstance(event, Met))

    # What must hold all the time.

    def both_accounts_agree(self):
        live = {each.task.number: each.phase for each in self.live()}
        assert {each.task.number: each.phase for each in self.machine.active()} == live
        settled = [each for each in self.twins.values() if each.settled]
        assert self.machine.settled == len(settled)
        untouched = [each for each in self.twins.values() if not each.moved]
        assert len(settled) + len(live) + len(untouched) == self.machine.total
        assert self.machine.is_done == (len(settled) == len(self.twins))
        for twin in settled:
            assert self.machine.verdict(twin.task.number) == twin.settled.verdict

    def slots_are_held_by_what_runs_and_nothing_else(self):
        running = self.having(*RUNNING)
        assert self.limits.taken == len(running) <= self.most
        used = {place: count for place, count in self.limits._used.items() if count}
        assert used == Counter(each.place for each in running)
        self.room_holds()

    def every_action_is_counted(self):
        assert self.machine._triaging == len(self.triages)
        pooled = [each for each in self.having(Phase.TRIAGING) if each.choice]
        assert len(self.machine._waiting.pool) == len(pooled)
        assert len(self.having(Phase.TRIAGING)) == len(self.triages) + len(pooled)
        ready = {each.task.number for each in self.having(Phase.READY)}
        assert sorted(self.machine._waiting.roster) == sorted(ready)
        assert self.machine._waiting.roster.waiting == len(ready)
        preparing = {each.task.number for each in self.having(Phase.PREPARING)}
        assert set(self.machine._waiting.preparations._needs) == preparing

    def who_can_go_is_not_held_up(self):
        running = self.having(*RUNNING)
        for twin in self.having(Phase.READY):
            there = [each for each in running if each.place == twin.place]
            kept_out = there if twin.alone else [each for each in there if each.alone]
            full = not twin.alone and self.is_full(twin)
            assert kept_out or full or self.limits.free(twin.place) == 0
        for twin in self.having(Phase.PREPARING):
            assert self.needs(twin) & self.pending()
        for twin in [each for each in self.having(Phase.TRIAGING) if each.choice]:
            self.pool_is_full(twin)
        if self.begun and self.machine._requested and self.limits.taken < self.most:
            assert len(self.triages) >= self.room

    def pool_is_full(self, twin):
        """Check that what waits for a pooled place does so for a reason."""
        preparing = Counter(each.place for each in self.having(Phase.PREPARING))
        for place in twin.choice:
            room = self.machine._waiting.roster.room(place)
            keeps = preparing[place] if twin.task.runnable.requirements else 0
            assert self.how[place] != "open" or room <= keeps
        ways = {self.how[place] for place in twin.choice}
        assert ways != {"given up"}
        if "closed" in ways and "open" not in ways:
            assert "wanted" in ways, "nobody opens what it waits for"

    def check(self):
        self.both_accounts_agree()
        self.slots_are_held_by_what_runs_and_nothing_else()
        self.every_action_is_counted()
        self.who_can_go_is_not_held_up()

    def answer_everything(self):
        """Answer whatever is open until nothing is: then all must be as it was before."""
        if not self.begun:
            self.begin()
        while not self.machine.is_done:
            self.answer_all()
            self.check()
        assert all(each.settled for each in self.twins.values())
        assert self.limits.taken == 0
        assert self.machine.active() == []
        assert not self.machine._requested

    def answer_all(self):
        fed = len(self.history)
        while self.triages:
            self.answer_triage(self.triages.pop())
        for place in self.places_that_are("barred"):
            self.how[place] = "closed"
            self.feed(Usable(self.now(), place))
        while self.found:
            self.place_is_taken_over()
        for place in self.places_that_are("wanted"):
            self.answer_opening(place)
        while self.fulfils:
            self.answer_fulfil(self.fulfils.pop())
        for twin in self.having(Phase.STARTING):
            self.feed(Started(self.now(), twin.task.number, twin.attempt))
        for twin in self.having(Phase.STARTED):
            stop = Stop.CANCELLED if twin.stops else None
            self.end(twin, Ending(None if stop else Result.PASS, stop=stop))
        assert len(self.history) > fed, "tasks are left, and nothing is under way"
