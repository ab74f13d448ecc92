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
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from nrunner.action import Action, Fulfil, Move, Settle, Start, StopAttempt, Triage
from nrunner.agentevent import translate
from nrunner.berth import Berth
from nrunner.environment import Environment
from nrunner.errors import NrunnerError, ProtocolError, RequirementError
from nrunner.event import Begin, Broken, Event, Met, NotStarted, Refused, StopAll, Triaged, Unmet
from nrunner.journal import Journal
from nrunner.machine import Machine
from nrunner.phase import Phase
from nrunner.record import dataclass, to_dict
from nrunner.reporter import Reporter
from nrunner.result import Cause, Result, Verdict
from nrunner.results.base import TaskReport
from nrunner.runnable import Requirement
from nrunner.spawners.base import Spawner
from nrunner.task import Task, TaskLimits

__all__ = ["Scheduler"]

_CLOSE_WITHIN = 30.0
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
    ) -> None:
        self._machine = machine
        self._spawner = spawner
        self._journal = journal
        self._reporter = reporter
        self._settings = settings
        self._log_dir = log_dir
        self._requirement_timeout = requirement_timeout
        self._berths = {
            offer.place: Berth(offer, spawner, settings, self._on_events)
            for offer in spawner.offers()
        }
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
            while self._inbox:
                for deed in self._record(self._decide()):
                    self._carriers[type(deed)](self, deed)
        except Exception as error:  # whoever feeds could not tell anybody: the job ends with it
            self._error = error
            self._done.set()
        finally:
            self._is_busy = False
            self._reporter.flush()
        if self._machine.is_done:
            self._done.set()

    def stop(self, event: StopAll) -> None:
        """End the whole job; why is told by `interrupted` afterwards."""
        self.interrupted = self.interrupted or event.waiting.detail
        self.feed(event)

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
            deeds.append(action)
        if records:
            self._journal.append(records)
        return deeds

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
        runnable = task.runnable.to_json()
        runnable.pop("requirements", None)
        order: dict[str, Any] = {
            "task": task.number,
            "attempt": action.attempt,
            "id": task.id,
            "runnable": runnable,
            "log_dir": self._log_dir(task, action.attempt),
        }
        if task.series:
            order["series"] = task.series
            order["next"] = action.follower.runnable.uri if action.follower else None
        if task.limits != _NO_LIMITS:
            order["limits"] = self._limits_of(task.limits)
        try:
            self._berths[action.place].run_nowait(order)
        except ProtocolError as error:
            verdict = Verdict(Result.ERROR, Cause.MALFORMED, f"could not {error}")
            self.feed(NotStarted(time.monotonic(), task.number, action.attempt, verdict))

    def _limits_of(self, limits: TaskLimits) -> dict[str, float | None]:
        known = self._limits.get(limits)
        if known is None:
            known = self._limits[limits] = to_dict(limits)
        return known

    def _stop(self, action: StopAttempt) -> None:
        berth = self._berths[action.place]
        berth.cancel_nowait(action.number, action.attempt, kill=action.kill)

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
        _Reported: _settle,
    }

    # Environments.

    def _on_events(self, berth: Berth, heads: Sequence[Mapping[str, Any]]) -> None:
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

    def _say_slow(self, head: Mapping[str, Any]) -> None:
        state = self._machine.state(head["task"])
        if state is not None:
            where = f", waits in {head['wait_channel']}" if head.get("wait_channel") else ""
            text = f"{state.task.id} is slow: it runs for {head['elapsed']:.0f} s{where}"
            self._notice(state.task.number, text)

    def _notice(self, task: int, text: str) -> None:
        self._journal.append([{"type": "notice", "task": task, "text": text}])
        self._reporter.notice(text)

    async def _keep(self, berth: Berth) -> None:
        """Have an environment at a place whenever something is to run there."""
        while True:
            await berth.wait_wanted()
            try:
                why = await berth.hold()
            except NrunnerError as error:
                verdict = Verdict(Result.ERROR, Cause.INFRA, f"could not {error}")
                lost = berth.abandon()
                now = time.monotonic()
                self.feed(*(NotStarted(now, task, attempt, verdict) for task, attempt in lost))
            else:
                verdict = Verdict(Result.ERROR, Cause.INFRA, f"its environment is gone: {why}")
                lost = berth.abandon()
                now = time.monotonic()
                self.feed(*(Broken(now, task, attempt, verdict) for task, attempt in lost))

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
                        group.create_task(berth.close(), name=f"close {berth.place}")
                await self._spawner.close()
        except TimeoutError:
            self._reporter.notice(f"could not end all environments within {_CLOSE_WITHIN:g} s")
            self._reporter.flush()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        assert self._group is not None
        task = self._group.create_task(work, name=name)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)


def _named(requirement: Requirement) -> str:
    name = requirement.uri or requirement.kwargs.get("name") or ""
    return f"{requirement.kind} {name}".strip()


def _move_record(action: Move) -> dict[str, Any]:
    return {
        "type": "move",
        "task": action.number,
        "attempt": action.attempt,
        "phase": action.phase,
        "time": action.time,
    }
