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
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from nrunner.action import (
    Action,
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
from nrunner.adoption import Adoption
from nrunner.agentevent import translate
from nrunner.berth import Berth
from nrunner.candidate import for_agents
from nrunner.environment import Environment
from nrunner.errors import (
    JournalError,
    JournalFull,
    NrunnerError,
    ProtocolError,
    RecipeError,
    RequirementError,
)
from nrunner.event import Begin, Event, Met, NotStarted, Refused, StopAll, Triaged, Unmet
from nrunner.fleet import is_bundle
from nrunner.journal import Journal
from nrunner.machine import Machine
from nrunner.phase import Phase
from nrunner.places import Places, Station
from nrunner.record import dataclass, to_dict
from nrunner.reporter import Reporter
from nrunner.result import Cause, Result, Verdict
from nrunner.results.base import TaskReport
from nrunner.runnable import Requirement
from nrunner.runners.registry import HANDING_KINDS
from nrunner.spawners.base import Spawner
from nrunner.task import Task, TaskLimits

__all__ = ["Scheduler"]

_CLOSE_WITHIN = 30.0
_PAUSE_WITHIN = 2.0
"""Seconds that an agent has to stop what runs, or to let it go on."""
_RUNNING = (Phase.STARTING, Phase.STARTED)
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
        requirement_timeout: float | None = 600.0,
        adoption: Adoption | None = None,
        interrupted: str = "",
    ) -> None:
        """`adoption` says what to take over from an earlier controller of the job.

        `interrupted` says why the job was cut short then, if it was.
        """
        self._machine = machine
        self._spawner = spawner
        self._journal = journal
        self._reporter = reporter
        self._log_dir = log_dir
        self._requirement_timeout = requirement_timeout
        self._places = Places(spawner, settings, adoption or Adoption(), self)
        self._inbox: deque[Event] = deque()
        self._is_busy = False
        self._done = asyncio.Event()
        self._error: Exception | None = None
        self._group: asyncio.TaskGroup | None = None
        self._waiting: set[asyncio.Task[None]] = set()
        self.interrupted = interrupted
        """Why the job was cut short, or empty."""
        self._remarks: list[Mapping[str, Any]] = []
        """Records to be written with what is decided next."""
        self._fulfilments: dict[tuple[str, str], asyncio.Task[None]] = {}
        """What fulfils a requirement, by place and key; done or not."""
        self._slots: dict[int, str] = {}
        """Where the attempt that runs now writes, by the number of its task."""
        self._limits: dict[TaskLimits, dict[str, float | None]] = {}

    @property
    def environments(self) -> Sequence[Environment]:
        """The environments that are open now."""
        return self._places.environments

    def place_facts(self) -> dict[str, dict[str, Any]]:
        """Return how the places are that are as good as others, for reports."""
        return self._places.facts()

    async def run(self) -> None:
        """Run until every task has its verdict; raise the error that made this impossible."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self._places.open()
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
        if not self.interrupted:
            self.interrupted = event.waiting.detail
            self._remarks.append({"type": "stopped", "reason": self.interrupted})
        self.feed(event)
        self._places.hurry()

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

    @property
    def has_failed(self) -> bool:
        """Whether the job ends without verdicts on what is left."""
        return self._error is not None

    def phase_of(self, number: int) -> Phase | None:
        """Return where a task is that is under way."""
        state = self._machine.state(number)
        return None if state is None else state.phase

    def backlog(self) -> int:
        """Return how many tasks may still be started."""
        return self._machine.backlog

    def fail(self, error: Exception) -> None:
        """End the job without verdicts on what is left."""
        self._error = self._error or error
        self._done.set()

    def live_output(self, number: int, stream: str) -> Path | None:
        """Return the file that gets the output of a task that runs now, if it can be seen here.

        What is written elsewhere is followed from the first time on that somebody asks.
        """
        folder = self._places.follow_nowait(number, stream) or self._slots.get(number)
        return Path(folder) / stream if folder else None

    def _decide(self) -> list[Action]:
        actions: list[Action] = []
        while self._inbox:
            actions += self._machine.handle(self._inbox.popleft())
        return actions

    def _record(self, actions: Sequence[Action]) -> list[_Deed]:
        """Write what was decided to the journal; return what is to be done and told now."""
        records, self._remarks = self._remarks, []
        deeds: list[_Deed] = []
        for action in actions:
            if isinstance(action, Settle):
                report = self._reporter.report(action)
                records.append({"type": "settled", "task": report.number, "report": report})
                deeds.append(_Reported(report))
                continue
            if isinstance(action, Move):
                records.append(self._move_record(action))
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

    def _move_record(self, action: Move) -> dict[str, Any]:
        record = {
            "type": "move",
            "task": action.number,
            "attempt": action.attempt,
            "phase": action.phase,
            "time": action.time,
        }
        if action.place:
            record["place"] = action.place
            if self._places.has_many(action.place):
                record["assigned_later"] = True
        return record

    def _retried_record(self, action: Retried) -> dict[str, Any]:
        report = self._reporter.attempt(action.attempt)
        return {
            "type": "attempt",
            "task": action.number,
            "report": report,
            "alone": action.alone,
        }

    def note(self, record: Mapping[str, Any]) -> bool:
        """Record what is no event of a task; return whether what follows from it may be done."""
        if not self.has_failed:
            try:
                self._journal.append([record])
            except JournalError as error:
                self.fail(error)
        return not self.has_failed

    # Carrying out.

    def _triage(self, action: Triage) -> None:
        task = action.task
        if task.runnable.kind == "malformed":
            reason = str(task.runnable.kwargs.get("reason", "it can never work"))
            self._refuse(task, Verdict(Result.ERROR, Cause.MALFORMED, reason))
            return
        try:
            stations, why_not = self._places.candidates(task, action.avoid)
        except RecipeError as error:
            self._refuse(task, Verdict(Result.ERROR, Cause.MALFORMED, str(error)))
            return
        if not stations:
            detail = f"no place suits it: {why_not}"
            self._refuse(task, Verdict(Result.SKIP, Cause.UNSUITABLE, detail))
            return
        needed = for_agents(task.runnable.requirements)
        kinds = [task.runnable.kind, *(each.kind for each in needed)]
        if all(station.knows(kind) for kind in kinds for station in stations):
            self._accept(task, stations, kinds)
        else:
            self.spawn(self._ask(task, stations, kinds), f"triage {task.id}")

    async def _ask(self, task: Task, stations: Sequence[Station], kinds: Sequence[str]) -> None:
        """Ask one place, or of several that are pooled each, until one has what it takes."""
        trouble = ""
        # An environment that is in trouble is another one next time.
        for station in [*stations] * _MOST_ASKED:
            try:
                if not all(station.knows(kind) for kind in kinds):
                    await self._places.learn(station, kinds)
            except NrunnerError as error:
                trouble = trouble or f"triage could not {error}"
                continue
            if len(stations) == 1 or all(station.has(kind) for kind in kinds):
                self._accept(task, [station], kinds)
                return
        if all(station.knows(kind) for kind in kinds for station in stations):
            self._accept(task, stations, kinds)
        else:
            self._refuse(task, Verdict(Result.ERROR, Cause.INFRA, trouble))

    def _accept(self, task: Task, stations: Sequence[Station], kinds: Sequence[str]) -> None:
        able = [each for each in stations if all(each.has(kind) for kind in kinds)]
        if not able:
            unknown = [kind for kind in kinds if not stations[0].has(kind)]
            detail = stations[0].unknown_kind(unknown[0])
            self._refuse(task, Verdict(Result.ERROR, Cause.MALFORMED, detail))
            return
        first, others = able[0], tuple(each.place for each in able[1:])
        for station in able:
            station.accept(task.number)
        needs = self._places.needs(first, task.runnable.requirements)
        self.feed(Triaged(time.monotonic(), task.number, first.place, needs, others))

    def _refuse(self, task: Task, verdict: Verdict) -> None:
        self.feed(Refused(time.monotonic(), task.number, verdict))

    def _begin_fulfilment(self, action: Fulfil) -> None:
        name = f"fulfil {action.requirement.kind} at {action.place}"
        work = self._begin(self._fulfil(action.place, action.requirement), name)
        self._fulfilments[action.place, action.requirement.key] = work

    def _stop_fulfilment(self, action: StopFulfilment) -> None:
        work = self._fulfilments.pop((action.place, action.key), None)
        if work is not None:
            work.cancel()

    async def _fulfil(self, place: str, requirement: Requirement) -> None:
        event: Event
        try:
            await self._places.station(place).fulfil(requirement, self._requirement_timeout)
        except RequirementError as error:
            detail = f"requirement {_named(requirement)}{error}"
            verdict = Verdict(Result.SKIP, Cause.REQUIREMENT, detail)
            event = Unmet(time.monotonic(), place, requirement.key, verdict)
        except RecipeError as error:
            detail = f"requirement {_named(requirement)}{error}"
            verdict = Verdict(Result.ERROR, Cause.MALFORMED, detail)
            event = Unmet(time.monotonic(), place, requirement.key, verdict)
        except NrunnerError as error:
            verdict = Verdict(Result.ERROR, Cause.INFRA, f"could not {error}")
            event = Unmet(time.monotonic(), place, requirement.key, verdict)
        else:
            event = Met(time.monotonic(), place, requirement.key)
        self.feed(event)

    def _start(self, action: Start) -> None:
        task = action.task
        order = self.order(task, action.attempt, action.follower)
        try:
            self._places.run_nowait(action.place, task, order)
        except ProtocolError as error:
            verdict = Verdict(Result.ERROR, Cause.MALFORMED, f"could not {error}")
            self.feed(NotStarted(time.monotonic(), task.number, action.attempt, verdict))

    def order(self, task: Task, attempt: int, follower: Task | None) -> dict[str, Any]:
        """Return what an agent is told of an attempt."""
        runnable = task.runnable.to_json()
        runnable.pop("requirements", None)
        order: dict[str, Any] = {
            "task": task.number,
            "attempt": attempt,
            "id": task.id,
            "runnable": runnable,
            "log_dir": self._log_dir(task, attempt),
        }
        needs = [each for each in task.runnable.requirements if each.kind in HANDING_KINDS]
        if needs:
            order["needs"] = [each.to_json() for each in needs]
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

    def stop_again(self, number: int) -> None:
        """Stop a task that was taken over, if that was ordered before it could be."""
        state = self._machine.state(number)
        if state is not None and state.ordered is not None and state.phase in _RUNNING:
            self._stop(StopAttempt(number, state.attempt, state.place, state.killed))

    def _stop(self, action: StopAttempt) -> None:
        if not self._places.has(action.place):
            return  # what ran there is lost, which is about to be told
        station = self._places.station(action.place)
        state = self._machine.state(action.number)
        ordered = state.ordered if state is not None else None
        # Whoever is still at it when the job's time is over may be what it took too long for.
        late = ordered is not None and ordered.cause is Cause.TIMEOUT
        station.cancel_nowait(action.number, action.attempt, kill=action.kill, examine=late)

    def _tell(self, action: Move) -> None:
        if action.phase is Phase.STARTED:
            state = self._machine.state(action.number)
            if state is not None:
                self._reporter.started(state.task, action.time)

    def _settle(self, action: _Reported) -> None:
        self._reporter.settled(action.report)
        self._forget_slot(action.report.number)
        self._places.forget(action.report.number)

    def _forget_slot(self, number: int) -> None:
        """An attempt is over: what is written there from now on is another's."""
        self._slots.pop(number, None)

    _carriers: ClassVar[Mapping[type, Callable[..., None]]] = {
        Triage: _triage,
        Fulfil: _begin_fulfilment,
        StopFulfilment: _stop_fulfilment,
        Start: _start,
        StopAttempt: _stop,
        Move: _tell,
        Retried: lambda self, action: self._forget_slot(action.number),
        OpenPlace: lambda self, action: self._places.open_nowait(action.place),
        Release: lambda self, action: self._places.release_nowait(action.place),
        _Reported: _settle,
    }

    # What is told by the places.

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

    def _say_slow(self, head: Mapping[str, Any]) -> None:
        state = self._machine.state(head["task"])
        if state is not None:
            doing = f"; {head['doing']}" if head.get("doing") else ""
            text = f"{state.task.id} is slow: it runs for {head['elapsed']:.0f} s{doing}"
            self._notice(state.task.number, text, **_told(head, "stack"))

    def _notice(self, task: int, text: str, **more: str) -> None:
        self.note({"type": "notice", "task": task, "text": text, **more})
        self._reporter.notice(text)

    async def _close(self) -> None:
        """End what still waits, then the environments, in bounded time."""
        for waiting in list(self._waiting):
            waiting.cancel()
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                if self._waiting:
                    await asyncio.wait(list(self._waiting))
                # What runs when nothing can be recorded is for another controller.
                await self._places.close(leave=isinstance(self._error, JournalError))
                await self._spawner.close()
        except TimeoutError:
            self._reporter.notice(f"could not end all environments within {_CLOSE_WITHIN:g} s")
            self._reporter.flush()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Have something done that waits, until the job is over."""
        self._begin(work, name)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        assert self._group is not None
        task = self._group.create_task(work, name=name)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return task


def _told(head: Mapping[str, Any], name: str) -> dict[str, str]:
    return {name: str(head[name])} if head.get(name) else {}


def _named(requirement: Requirement) -> str:
    """Name a requirement; of several at once, the error names the one that it is about."""
    return "" if is_bundle(requirement) else f"{requirement.title}: "
