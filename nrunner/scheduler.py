"""The shell around the machine: carries out its actions and feeds back what came of them.

One TaskGroup owns all that waits. The way from an agent's event to the next order is
synchronous: a batch of events goes through the machine, then into the journal with one write, and
only then are the actions carried out and told. Not responsible for deciding anything
(``nrunner.machine``) nor for the conversation with agents (``nrunner.environment``).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from nrunner.action import Action, Fulfil, Move, Retried, Settle, Start, StopAttempt, Triage
from nrunner.adoption import MOST_CRASHES, Adoption, lost_verdict
from nrunner.agentevent import translate
from nrunner.berth import Berth, Gone
from nrunner.environment import Environment, Key
from nrunner.errors import (
    JournalError,
    JournalFull,
    NrunnerError,
    ProtocolError,
    RequirementError,
    TakenOverError,
)
from nrunner.event import Begin, Broken, Event, Met, NotStarted, Refused, StopAll, Triaged, Unmet
from nrunner.journal import Journal
from nrunner.machine import Machine
from nrunner.phase import Phase
from nrunner.record import dataclass, to_dict
from nrunner.reporter import Reporter
from nrunner.result import Cause, Result, Verdict
from nrunner.results.base import TaskReport
from nrunner.runnable import Requirement
from nrunner.spawners.base import Offer, Spawner
from nrunner.task import Task, TaskLimits

__all__ = ["Scheduler"]

_CLOSE_WITHIN = 30.0
_PAUSE_WITHIN = 2.0
"""Seconds that an agent has to stop what runs, or to let it go on."""
_UNKNOWN = "its agent knows nothing of it"
_NO_PLACE = "there is no such place any more"
_NO_LIMITS = TaskLimits()
"""What an agent assumes where an order says nothing."""
_MOST_ASKED = 3
"""How many environments are asked about a kind when one after the other is in trouble."""


@dataclass(frozen=True, slots=True)
class _Reported:
    """A task's verdict, once it is recorded."""

    report: TaskReport


_Deed = Action | _Reported


class Scheduler:
    """Runs the tasks of one job."""

    def __init__(
        self,
        machine: Machine,
        spawner: Spawner,
        journal: Journal,
        reporter: Reporter,
        *,
        settings: Mapping[str, Any],
        log_dir: Callable[[Task, int], str],
        requirement_timeout: float = 600.0,
        adoption: Adoption | None = None,
    ) -> None:
        """`adoption` says what to take over from an earlier controller of the job."""
        self._machine = machine
        self._spawner = spawner
        self._journal = journal
        self._reporter = reporter
        self._settings = settings
        self._log_dir = log_dir
        self._requirement_timeout = requirement_timeout
        self._adoption = adoption or Adoption()
        self._berths = {offer.place: self._berth(offer) for offer in spawner.offers()}
        self._inbox: deque[Event] = deque()
        self._is_busy = False
        self._done = asyncio.Event()
        self._error: Exception | None = None
        self._group: asyncio.TaskGroup | None = None
        self._waiting: set[asyncio.Task[None]] = set()
        self.interrupted = ""
        """Why the job was cut short, or empty."""
        self._slots: dict[int, str] = {}
        self._limits: dict[TaskLimits, dict[str, float | None]] = {}

    @property
    def environments(self) -> Sequence[Environment]:
        """The environments that are open now."""
        return [each.environment for each in self._berths.values() if each.environment]

    async def run(self) -> None:
        """Run until every task has its verdict; raise the error that made this impossible."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self._adopt()
            for berth in self._berths.values():
                self._spawn(self._keep(berth), f"keep {berth.place}")
            self.feed(Begin(time.monotonic()))
            try:
                await self._done.wait()
            finally:
                await self._close()
        if self._error is not None:
            raise self._error

    def feed(self, *events: Event) -> None:
        """Let events happen; whatever follows from them at once has happened on return."""
        self._inbox.extend(events)
        if self._is_busy or self._error is not None:
            return
        self._is_busy = True
        try:
            while self._inbox and self._error is None:
                for deed in self._record(self._decide()):
                    self._carriers[type(deed)](self, deed)
        except Exception as error:  # whoever feeds could not tell anybody: the job ends with it
            self.fail(error)
        finally:
            self._is_busy = False
            self._reporter.flush()
        if self._machine.is_done:
            self._done.set()

    def stop(self, event: StopAll) -> None:
        """End the whole job; why is told by `interrupted` afterwards."""
        self.interrupted = self.interrupted or event.waiting.detail
        self.feed(event)

    async def pause(self) -> None:
        """Stop all that runs, and the time of its limits, until `resume`."""
        await self._tell_all("pause", lambda environment: environment.pause())

    async def resume(self) -> None:
        """Let go on what was paused."""
        await self._tell_all("let go on", lambda environment: environment.resume())

    async def _tell_all(self, what: str, tell: Callable[[Environment], Awaitable[object]]) -> None:
        for environment in self.environments:
            try:
                async with asyncio.timeout(_PAUSE_WITHIN):
                    await tell(environment)
            except (NrunnerError, TimeoutError) as error:
                reason = str(error) or f"no answer within {_PAUSE_WITHIN:g} s"
                self.notice(f"could not {what} tests at {environment.place}: {reason}")

    def notice(self, text: str) -> None:
        """Record and tell what people should know, and concerns no task."""
        self._notice(0, text)
        self._reporter.flush()

    def fail(self, error: Exception) -> None:
        """End the job without verdicts on what is left."""
        self._error = self._error or error
        self._done.set()

    def live_output(self, number: int, stream: str) -> Path | None:
        """Return the file that gets the output of a task that runs now, if it can be seen here."""
        slot = self._slots.get(number)
        return None if slot is None else Path(slot) / stream

    def _decide(self) -> list[Action]:
        actions: list[Action] = []
        while self._inbox:
            actions += self._machine.handle(self._inbox.popleft())
        return actions

    def _record(self, actions: Sequence[Action]) -> list[_Deed]:
        """Write what was decided to the journal; return what is to be done and told now."""
        records: list[Mapping[str, Any]] = []
        deeds: list[_Deed] = []
        for action in actions:
            if isinstance(action, Settle):
                report = self._reporter.report(action)
                records.append({"type": "settled", "task": report.number, "report": report})
                deeds.append(_Reported(report))
                continue
            if isinstance(action, Move):
                records.append(_move_record(action))
            elif isinstance(action, Retried):
                records.append(self._retried_record(action))
            deeds.append(action)
        try:
            if records:
                self._journal.append(records)
        except JournalFull as error:
            # What is recorded is told, but nothing more is begun.
            self.fail(error)
            return [each for each in deeds if isinstance(each, _Reported)]
        return deeds

    def _retried_record(self, action: Retried) -> dict[str, Any]:
        report = self._reporter.attempt(action.attempt)
        return {
            "type": "attempt",
            "task": action.number,
            "report": report,
            "alone": action.alone,
        }

    def _note(self, record: Mapping[str, Any]) -> None:
        """Record what is no event of a task."""
        if self._error is None:
            try:
                self._journal.append([record])
            except JournalError as error:
                self.fail(error)

    # Carrying out.

    def _triage(self, action: Triage) -> None:
        task = action.task
        if task.runnable.kind == "malformed":
            reason = str(task.runnable.kwargs.get("reason", "it can never work"))
            self._refuse(task, Verdict(Result.ERROR, Cause.MALFORMED, reason))
            return
        berth = self._candidate(action)
        if berth is None:
            detail = f"no other environment than {', '.join(action.avoid)}"
            self._refuse(task, Verdict(Result.SKIP, Cause.UNSUITABLE, detail))
            return
        kinds = [task.runnable.kind, *(each.kind for each in task.runnable.requirements)]
        if all(berth.knows(kind) for kind in kinds):
            self._accept(task, berth, kinds)
        else:
            self._spawn(self._ask(task, berth, kinds), f"triage {task.id}")

    def _candidate(self, action: Triage) -> Berth | None:
        """Return a place that was not tried, or one whose environment is a new one since."""
        for place, berth in self._berths.items():
            if place not in action.avoid or berth.is_renewed(action.task.number):
                return berth
        return None

    async def _ask(self, task: Task, berth: Berth, kinds: Sequence[str]) -> None:
        trouble = ""
        for _ in range(_MOST_ASKED):
            try:
                await berth.learn(kinds)
            except NrunnerError as error:
                trouble = f"triage could not {error}"
            else:
                self._accept(task, berth, kinds)
                return
        self._refuse(task, Verdict(Result.ERROR, Cause.INFRA, trouble))

    def _accept(self, task: Task, berth: Berth, kinds: Sequence[str]) -> None:
        unknown = [kind for kind in kinds if not berth.has(kind)]
        if unknown:
            detail = berth.unknown_kind(unknown[0])
            self._refuse(task, Verdict(Result.ERROR, Cause.MALFORMED, detail))
        else:
            berth.accept(task.number)
            now = time.monotonic()
            self.feed(Triaged(now, task.number, berth.place, task.runnable.requirements))

    def _refuse(self, task: Task, verdict: Verdict) -> None:
        self.feed(Refused(time.monotonic(), task.number, verdict))

    def _begin_fulfilment(self, action: Fulfil) -> None:
        name = f"fulfil {action.requirement.kind} at {action.place}"
        self._spawn(self._fulfil(action.place, action.requirement), name)

    async def _fulfil(self, place: str, requirement: Requirement) -> None:
        berth = self._berths[place]
        event: Event
        try:
            await berth.fulfil(requirement, self._requirement_timeout)
        except RequirementError as error:
            detail = f"requirement {_named(requirement)}: {error}"
            verdict = Verdict(Result.SKIP, Cause.REQUIREMENT, detail)
            event = Unmet(time.monotonic(), place, requirement.key, verdict)
        except NrunnerError as error:
            verdict = Verdict(Result.ERROR, Cause.INFRA, f"could not {error}")
            event = Unmet(time.monotonic(), place, requirement.key, verdict)
        else:
            event = Met(time.monotonic(), place, requirement.key)
        self.feed(event)

    def _start(self, action: Start) -> None:
        task = action.task
        order = self._order(task, action.attempt, action.follower)
        try:
            self._berths[action.place].run_nowait(order)
        except ProtocolError as error:
            verdict = Verdict(Result.ERROR, Cause.MALFORMED, f"could not {error}")
            self.feed(NotStarted(time.monotonic(), task.number, action.attempt, verdict))

    def _order(self, task: Task, attempt: int, follower: Task | None) -> dict[str, Any]:
        runnable = task.runnable.to_json()
        runnable.pop("requirements", None)
        order: dict[str, Any] = {
            "task": task.number,
            "attempt": attempt,
            "id": task.id,
            "runnable": runnable,
            "log_dir": self._log_dir(task, attempt),
        }
        if task.series:
            order["series"] = task.series
            order["next"] = follower.runnable.uri if follower else None
        if task.limits != _NO_LIMITS:
            order["limits"] = self._limits_of(task.limits)
        return order

    def _limits_of(self, limits: TaskLimits) -> dict[str, float | None]:
        known = self._limits.get(limits)
        if known is None:
            known = self._limits[limits] = to_dict(limits)
        return known

    def _stop(self, action: StopAttempt) -> None:
        berth = self._berths[action.place]
        state = self._machine.state(action.number)
        ordered = state.ordered if state is not None else None
        # Whoever is still at it when the job's time is over may be what it took too long for.
        late = ordered is not None and ordered.cause is Cause.TIMEOUT
        berth.cancel_nowait(action.number, action.attempt, kill=action.kill, examine=late)

    def _tell(self, action: Move) -> None:
        if action.phase is Phase.STARTED:
            state = self._machine.state(action.number)
            if state is not None:
                self._reporter.started(state.task, action.time)

    def _settle(self, action: _Reported) -> None:
        self._reporter.settled(action.report)
        self._slots.pop(action.report.number, None)
        for berth in self._berths.values():
            berth.forget(action.report.number)

    _carriers: ClassVar[Mapping[type, Callable[..., None]]] = {
        Triage: _triage,
        Fulfil: _begin_fulfilment,
        Start: _start,
        StopAttempt: _stop,
        Move: _tell,
        Retried: lambda _self, _action: None,
        _Reported: _settle,
    }

    # Environments.

    def _berth(self, offer: Offer) -> Berth:
        return Berth(
            offer,
            self._spawner,
            self._settings,
            self,
            epoch=self._adoption.epoch,
            generation=self._adoption.generation(offer.place),
        )

    def opened(self, berth: Berth, generation: int, address: Mapping[str, Any]) -> None:
        """Record where an environment is found again: before anything is ordered there."""
        self._note(
            {
                "type": "environment",
                "place": berth.place,
                "generation": generation,
                "address": address,
            }
        )

    def heard(self, berth: Berth, heads: Sequence[Mapping[str, Any]]) -> bool:
        """Have an agent's events happen; return whether they are recorded."""
        now = time.monotonic()
        events: list[Event] = []
        for head in heads:
            event = translate(head, berth.time_of(head, now))
            if event is not None:
                events.append(event)
                if "slot" in head:
                    self._slots[head["task"]] = head["slot"]
            elif head["event"] == "slow":
                self._say_slow(head)
            elif head["event"] == "notice":
                self._notice(head["task"], str(head.get("text")))
        self.feed(*events)
        return self._error is None

    def missing(self, berth: Berth, keys: Sequence[Key]) -> None:
        """End attempts of which the agent that was to run them knows nothing."""
        self._break(keys, lambda key: self._lost(key, _UNKNOWN, begun=self._is_begun(key)))

    def _is_begun(self, key: Key) -> bool:
        state = self._machine.state(key[0])
        return state is not None and state.phase is Phase.STARTED

    async def _adopt(self) -> None:
        """Take over the environments that are left, with what runs there."""
        for number, places in self._adoption.tried.items():
            for place in places & self._berths.keys():
                self._berths[place].note_tried(number)
        for place in self._adoption.places:
            running = self._adoption.running.get(place, {})
            berth, address = self._berths.get(place), self._adoption.addresses.get(place)
            if berth is None:
                self._break(running, lambda key: self._lost(key, _NO_PLACE, begun=True))
            elif address is None:
                self._order_again(berth, running)
            else:
                for key in self._may_repeat(running):
                    berth.order_later(self._order(self._adoption.tasks[key], key[1], None))
                gone = await berth.adopt(address, running)
                if gone is not None:
                    await self._bury(berth, gone, self._lost)

    def _may_repeat(self, running: Mapping[Key, bool]) -> list[Key]:
        """Return the attempts that can be ordered again, if nobody has them."""
        crashes = self._adoption.crashes
        return [key for key in running if not running[key] and crashes[key] < MOST_CRASHES]

    def _order_again(self, berth: Berth, running: Mapping[Key, bool]) -> None:
        """Order what was never sent: no environment was open, or the journal would know."""
        again = self._may_repeat(running)
        for task, attempt in again:
            berth.run_nowait(self._order(self._adoption.tasks[task, attempt], attempt, None))
        rest = [key for key in running if key not in again]
        self._break(rest, lambda key: self._lost(key, _NO_PLACE, begun=running[key]))

    def _break(self, keys: Iterable[Key], verdict: Callable[[Key], Verdict]) -> None:
        now = time.monotonic()
        self.feed(*(Broken(now, *key, verdict(key)) for key in keys))

    def _lost(self, key: Key, why: str, *, begun: bool) -> Verdict:
        return lost_verdict(why, begun=begun, crashes=self._adoption.crashes.get(key, 0))

    def _say_slow(self, head: Mapping[str, Any]) -> None:
        state = self._machine.state(head["task"])
        if state is not None:
            doing = f"; {head['doing']}" if head.get("doing") else ""
            text = f"{state.task.id} is slow: it runs for {head['elapsed']:.0f} s{doing}"
            self._notice(state.task.number, text, **_told(head, "stack"))

    def _notice(self, task: int, text: str, **more: str) -> None:
        self._note({"type": "notice", "task": task, "text": text, **more})
        self._reporter.notice(text)

    async def _keep(self, berth: Berth) -> None:
        """Have an environment at a place whenever something is to run there."""
        while True:
            await berth.wait_wanted()
            try:
                gone = await berth.hold()
            except NrunnerError as error:
                verdict = Verdict(Result.ERROR, Cause.INFRA, f"could not {error}")
                lost = berth.abandon()
                now = time.monotonic()
                self.feed(*(NotStarted(now, task, attempt, verdict) for task, attempt in lost))
            else:
                await self._bury(berth, gone, _broken)

    async def _bury(self, berth: Berth, gone: Gone, verdict: Callable[..., Verdict]) -> None:
        """End what an environment that is gone took with it, then remove what is left of it."""
        if gone.is_replaced:
            self.fail(TakenOverError(f"go on: {gone.why}"))
            return
        self._break(gone.lost, lambda key: verdict(key, gone.why, begun=key in gone.begun))
        self._note({"type": "gone", "place": berth.place, "generation": gone.generation})
        if self._error is None:
            await berth.clear()

    async def _close(self) -> None:
        """End what still waits, then the environments, in bounded time."""
        for waiting in list(self._waiting):
            waiting.cancel()
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                if self._waiting:
                    await asyncio.wait(list(self._waiting))
                async with asyncio.TaskGroup() as group:
                    for berth in self._berths.values():
                        # What runs when nothing can be recorded is for another controller.
                        end = berth.leave if isinstance(self._error, JournalError) else berth.close
                        group.create_task(end(), name=f"close {berth.place}")
                await self._spawner.close()
        except TimeoutError:
            self._reporter.notice(f"could not end all environments within {_CLOSE_WITHIN:g} s")
            self._reporter.flush()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        assert self._group is not None
        task = self._group.create_task(work, name=name)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)


def _broken(_key: Key, why: str, *, begun: bool) -> Verdict:
    del begun  # what was not begun is tried again as carefully: it may have been what ended it
    return Verdict(Result.ERROR, Cause.INFRA, f"its environment is gone: {why}")


def _told(head: Mapping[str, Any], name: str) -> dict[str, str]:
    return {name: str(head[name])} if head.get(name) else {}


def _named(requirement: Requirement) -> str:
    name = requirement.uri or requirement.kwargs.get("name") or ""
    return f"{requirement.kind} {name}".strip()


def _move_record(action: Move) -> dict[str, Any]:
    record = {
        "type": "move",
        "task": action.number,
        "attempt": action.attempt,
        "phase": action.phase,
        "time": action.time,
    }
    if action.place:
        record["place"] = action.place
    return record
