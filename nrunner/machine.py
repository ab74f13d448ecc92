"""What happens next: a pure function of the state of all tasks and an event.

`Machine.handle` takes an event and returns actions. It awaits nothing, reads no clock and touches
no file, so it is tested synchronously and replays a journal exactly. Legal moves stand in
``nrunner.phase``; which event may arrive in which phase stands in the table at the end of this
module. Not responsible for carrying actions out; that is ``nrunner.scheduler``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import ClassVar

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
from nrunner.errors import InvalidTransition
from nrunner.event import (
    Begin,
    Broken,
    Cancelled,
    Closed,
    Ended,
    Event,
    GivenUp,
    Met,
    NotStarted,
    Opened,
    PlaceEvent,
    Refused,
    Started,
    StopAll,
    TaskEvent,
    Triaged,
    Unmet,
    Usable,
)
from nrunner.graph import Followers, Order
from nrunner.limits import Limits
from nrunner.phase import MOVES, Phase
from nrunner.pool import Readiness
from nrunner.result import Cause, Result, Verdict
from nrunner.settlement import LeakPolicy, Retry, combine, judge, never_started, retry_after
from nrunner.task import Attempt, Task
from nrunner.taskstate import TaskState
from nrunner.waiting import Waiting, waits_at

__all__ = ["Machine"]

_WAITING = (Phase.TRIAGING, Phase.PREPARING, Phase.READY)
_RUNNING = (Phase.STARTING, Phase.STARTED)
_NEWS = (Started, NotStarted, Ended, Broken)


class Machine:
    """The state of all tasks of a job, advanced by events."""

    def __init__(
        self,
        tasks: Sequence[Task],
        limits: Limits,
        *,
        in_order: bool = True,
        fail_fast: bool = False,
        dry_run: bool = False,
        leak: LeakPolicy = LeakPolicy.WARN,
        lookahead: int = 64,
        together: int = 1,
        isolated: Collection[str] = (),
        pooled: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`lookahead` says how many tasks are triaged before there is room for them.

        `together` says how many tasks of a series may be ordered at once at a place. At
        `isolated` places each attempt has an environment of its own, whose end concerns no other.
        `pooled` places, with their slots, are opened before a task is bound to one of them.
        """
        self.total = len(tasks)
        self.settled = 0
        self.ignored = 0
        """Events that came too late to change anything."""
        self._tasks = {task.number: task for task in tasks}
        if len(self._tasks) != self.total:
            raise ValueError("two tasks of a job have the same number")
        self._states: dict[int, TaskState] = {}
        self._ended: dict[int, Verdict] = {}
        self._order = Order(tasks, in_order=in_order)
        self._followers = Followers(tasks)
        self._limits = limits
        self._waiting = Waiting(limits, together, pooled)
        self._isolated = frozenset(isolated)
        self._fail_fast = fail_fast
        self._leak = leak
        self._room = limits.most + lookahead
        self._halt: Verdict | None = (
            Verdict(Result.CANCEL, Cause.CANCELLED, "dry run") if dry_run else None
        )
        self._begun = False
        self._requested: deque[int] = deque()
        self._before: tuple[int, ...] = ()
        """Tasks that an earlier controller has seen to their end."""
        self._past: dict[int, TaskState] = {}
        """Tasks that an earlier controller had begun to look after; to be requested anew."""
        self._triaging = 0
        self._time = 0.0
        self._actions: list[Action] = []

    def restore(self, settled: Mapping[int, Verdict], states: Iterable[TaskState]) -> None:
        """Take over what an earlier controller of the job knew, before it begins anew.

        `settled` are the verdicts there are; `states` are those of tasks that have none but were
        under way, each in a phase that does not wait for an answer, or in STARTING or STARTED.
        """
        if self._begun or self._states or self._ended:
            raise ValueError("the job has begun already")
        self._ended = dict(settled)
        self._before = tuple(settled)
        self.settled = len(settled)
        for state in states:
            if state.phase in _RUNNING:
                self._take_over(state)
            else:
                self._past[state.task.number] = state
        if self._fail_fast and self._halt is None:
            self._halt = self._first_failure()

    def _take_over(self, state: TaskState) -> None:
        self._states[state.task.number] = state
        self._waiting.roster.take_over(state.task, state.place, alone=state.alone)

    def _first_failure(self) -> Verdict | None:
        failed = [number for number, verdict in self._ended.items() if not verdict.result.is_ok]
        if not failed:
            return None
        first = min(failed)
        return _not_started(self._tasks[first], self._ended[first])

    @property
    def backlog(self) -> int:
        """How many tasks have no verdict and do not run."""
        return self.total - self.settled - self._limits.taken

    @property
    def is_done(self) -> bool:
        """Whether every task has its verdict."""
        return self.settled == self.total

    def verdict(self, number: int) -> Verdict | None:
        """Return a task's verdict, None while it has none."""
        return self._ended.get(number)

    def state(self, number: int) -> TaskState | None:
        """Return the state of a task that is requested and not settled."""
        return self._states.get(number)

    def active(self) -> Sequence[TaskState]:
        """Return the states of all tasks that are under way."""
        return list(self._states.values())

    def handle(self, event: Event) -> list[Action]:
        """Take one event; return what has to be done, in order.

        Raise InvalidTransition, with the task's history, for an event that the table does not
        list for the phase its task is in.
        """
        self._time = event.time
        if isinstance(event, TaskEvent):
            self._handle_task_event(event)
        elif isinstance(event, PlaceEvent) and not self._waiting.pool.has(event.place):
            raise InvalidTransition(f"{event.place} is no pooled place: {type(event).__name__}")
        else:
            self.job_handlers[type(event)](self, event)
        unwanted = self._waiting.preparations.drop_unwanted()
        self._actions.extend(StopFulfilment(place, key) for place, key in unwanted)
        self._advance()
        actions, self._actions = self._actions, []
        return actions

    def _handle_task_event(self, event: TaskEvent) -> None:
        state = self._states.get(event.number)
        if state is None:
            self._handle_without_state(event)
            return
        attempt = getattr(event, "attempt", state.attempt)
        if attempt < state.attempt:
            self.ignored += 1
            return
        if attempt > state.attempt:
            what = f"{type(event).__name__} of attempt {attempt}"
            raise InvalidTransition(f"{state.task.id}: {what} after {state.story}")
        handler = self.task_handlers.get((state.phase, type(event)))
        if handler is None:
            raise InvalidTransition(f"{state.task.id}: {type(event).__name__} after {state.story}")
        handler(self, state, event)

    def _handle_without_state(self, event: TaskEvent) -> None:
        task = self._tasks.get(event.number)
        cancelled = isinstance(event, Cancelled)
        if event.number in self._ended or (task is None and cancelled):
            self.ignored += 1
            return
        if task is None or not isinstance(event, Cancelled):
            who = f"{task.id} is not requested yet" if task else f"there is no task {event.number}"
            raise InvalidTransition(f"{who}: {type(event).__name__}")
        self._discard(self._request(task), event.verdict)

    # What happens to the job as a whole.

    def _begin(self, _event: Event) -> None:
        if self._begun:
            raise InvalidTransition("the job has begun already")
        self._begun = True
        self._requested.extend(self._order.first())
        for number in self._before:
            self._requested.extend(self._order.ended(self._tasks[number]))

    def _met(self, event: Met) -> None:
        for number in self._waiting.preparations.met(event.place, event.key):
            state = self._states[number]
            self._move(state, Phase.READY)
            self._waiting.queue(state)

    def _unmet(self, event: Unmet) -> None:
        for number in self._waiting.preparations.failed(event.place, event.key):
            state = self._states.get(number)
            if state is not None:  # else the first of them ended the job (fail-fast)
                self._look_elsewhere(state, event.verdict)

    def _stop_all(self, event: StopAll) -> None:
        self._halt = event.waiting
        for state in list(self._states.values()):
            verdict = event.running if state.phase in _RUNNING else event.waiting
            self._cancel(state, Cancelled(event.time, state.task.number, verdict, event.kill))

    # What happens to pooled places.

    def _opened(self, event: Opened) -> None:
        self._waiting.pool.note(event.place, Readiness.OPEN)

    def _usable(self, event: Usable) -> None:
        self._waiting.pool.note(event.place, Readiness.CLOSED)

    def _closed(self, event: Closed) -> None:
        self._waiting.bar(event.place, event.reason)
        for state in reversed(waits_at(self._states.values(), event.place)):
            self._withdraw(state)
            if not state.choice:  # an earlier controller had it run there
                self._triage(state)
                continue
            self._move(state, Phase.TRIAGING)
            self._waiting.enter_pool(state, first=True)

    def _given_up(self, event: GivenUp) -> None:
        self._closed(Closed(event.time, event.place, event.reason))
        self._waiting.pool.note(event.place, Readiness.GIVEN_UP, event.reason)
        # It is as well there as anywhere where it was tried before, or nobody asked so far.
        for number in self._waiting.pool.stranded():
            self._waiting.pool.remove(number)
            self._ask(self._states[number])

    # What happens to one task.

    def _triaged(self, state: TaskState, event: Triaged) -> None:
        if state.task.number in self._waiting.pool:
            raise InvalidTransition(f"{state.task.id}: triaged twice after {state.story}")
        self._triaging -= 1
        state.requirements = event.requirements
        if not self._waiting.pool.has(event.place):
            self._bind(state, event.place)
            return
        state.choice = (event.place, *event.others)
        if self._waiting.pool.usable(state.choice):
            self._waiting.enter_pool(state)
            return
        detail = f"no place is left: {self._waiting.pool.reasons(state.choice)}"
        self._move(state, Phase.DISCARDED)
        self._settle(state, combine(state.verdicts or [_infra(detail)]))

    def _bind(self, state: TaskState, place: str) -> None:
        """Prepare a task at the place that it gets."""
        done, begin = self._waiting.prepare(state, place)
        self._move(state, Phase.READY if done else Phase.PREPARING)
        if done:
            self._waiting.queue(state)
        self._actions.extend(Fulfil(place, requirement) for requirement in begin)

    def _refused(self, state: TaskState, event: Refused) -> None:
        self._triaging -= 1
        self._move(state, Phase.DISCARDED)
        # What went wrong where it was tried says more than that there is no other place.
        self._settle(state, combine(state.verdicts or [event.verdict]))

    def _started(self, state: TaskState, event: Started) -> None:
        state.started = event.time
        self._move(state, Phase.STARTED)

    def _not_started(self, state: TaskState, event: NotStarted) -> None:
        if state.place in self._isolated and event.verdict.cause is Cause.INFRA:
            self._leave(state.place)  # what it was to begin from may have been removed
        self._move(state, Phase.FAILED_TO_START)
        ordered = state.ordered
        verdict = event.verdict if ordered is None else never_started(ordered)
        self._conclude(state, verdict, ran=False)

    def _finish(self, state: TaskState, event: Ended) -> None:
        verdict = judge(event.ending, state.ordered, self._leak)
        self._move(state, Phase.INTERRUPTED if event.ending.stop else Phase.FINISHED)
        self._conclude(state, verdict, ran=True, ended=event)

    def _break(self, state: TaskState, event: Broken) -> None:
        started = state.phase is Phase.STARTED
        if state.place not in self._isolated:
            state.alone = True
            self._leave(state.place)
        self._move(state, Phase.INTERRUPTED if started else Phase.FAILED_TO_START)
        # Nobody can say more, so user code may have run even if no word of that arrived.
        self._conclude(state, state.ordered or event.verdict, ran=True)

    def _cancel(self, state: TaskState, event: Cancelled) -> None:
        if state.phase not in _RUNNING:
            self._discard(state, event.verdict)
            return
        first = state.ordered is None
        state.ordered = state.ordered or event.verdict
        if first or (event.kill and not state.killed):
            state.killed = event.kill
            number = state.task.number
            self._actions.append(StopAttempt(number, state.attempt, state.place, event.kill))

    def _ignore(self, _state: TaskState, _event: Event) -> None:
        self.ignored += 1

    # Moves.

    def _advance(self) -> None:
        """Do what the event made possible: start and triage as far as there is room."""
        self._start_all()
        while (bound := self._waiting.next_bound()) is not None:
            number, place = bound
            self._bind(self._states[number], place)
            self._start_all()
        self._triage_more()
        self._actions.extend(map(OpenPlace, self._waiting.wanted()))
        if not self._triaging and self.total == self.settled + len(self._states):
            self._actions.extend(map(Release, self._waiting.unwanted()))

    def _start_all(self) -> None:
        while (ready := self._waiting.roster.pop()) is not None:
            self._start(self._states[ready.number])

    def _triage_more(self) -> None:
        while self._begun and self._requested and self._has_room():
            number = self._requested.popleft()
            if number in self._ended or number in self._states:
                continue
            state = self._request(self._tasks[number])
            if self._halt is not None:
                self._discard(state, self._halt)
            else:
                self._triage(state)

    def _request(self, task: Task) -> TaskState:
        """Begin to look after a task, or go on with it where an earlier controller left it."""
        state = self._past.pop(task.number, None) or TaskState(task, self._time)
        self._states[task.number] = state
        return state

    def _has_room(self) -> bool:
        """Whether one more task may be triaged; all are looked at where none will start.

        Tasks that wait for a place that is full hold nobody up who could go to another one: as
        long as a slot of the job is free, the search goes on.
        """
        enough = self._waiting.count >= self._room and self._limits.taken >= self._limits.most
        return self._halt is not None or (self._triaging < self._room and not enough)

    def _triage(self, state: TaskState) -> None:
        state.is_restored = False
        self._move(state, Phase.TRIAGING)
        self._ask(state)

    def _ask(self, state: TaskState) -> None:
        """Ask where a task may run."""
        self._triaging += 1
        self._actions.append(Triage(state.task, state.avoid))

    def _look_elsewhere(self, state: TaskState, verdict: Verdict) -> None:
        """Find another place for a task that could not be prepared here, if it may have one."""
        state.unmet.append(verdict)
        retry = retry_after(state.task, state.verdicts, ran=False)
        if retry is Retry.NO:
            self._discard(state, verdict)
            return
        state.avoid = (*state.avoid, state.place)
        self._triage(state)

    def _start(self, state: TaskState) -> None:
        state.attempt += 1
        state.started = None
        self._move(state, Phase.STARTING, state.place)
        follower = None if state.alone else self._followers.next_of(state.task, self._may_follow)
        self._actions.append(Start(state.task, state.attempt, state.place, follower))

    def _may_follow(self, number: int) -> bool:
        """Whether a task is still to be started for the first time."""
        state = self._states.get(number)
        return number not in self._ended and (state is None or state.phase not in _RUNNING)

    def _move(self, state: TaskState, target: Phase, place: str = "") -> None:
        if target not in MOVES[state.phase]:
            raise InvalidTransition(f"{state.task.id}: {state.story} -> {target.value}")
        self._waiting.moves(state, target)
        state.phase = target
        state.entered.append((target, self._time))
        self._actions.append(Move(state.task.number, state.attempt, target, self._time, place))

    def _withdraw(self, state: TaskState) -> None:
        """Take a task out of wherever it waits."""
        if not state.is_restored and not self._waiting.withdraw(state):
            self._triaging -= state.phase is Phase.TRIAGING

    def _leave(self, place: str) -> None:
        """Triage those anew who counted on what held in an environment that is gone."""
        gone = self._waiting.preparations.leave(place)
        for state in waits_at(self._states.values(), place) if gone else ():
            if not gone.isdisjoint(state.needs):
                self._withdraw(state)
                self._triage(state)

    def _discard(self, state: TaskState, verdict: Verdict) -> None:
        """Settle a task that is not running: first cause wins, so earlier attempts count."""
        self._withdraw(state)
        if not state.phase.is_end:  # else it was about to be tried again
            self._move(state, Phase.DISCARDED)
        self._settle(state, combine([*(each.verdict for each in state.attempts), verdict]))

    def _conclude(
        self,
        state: TaskState,
        verdict: Verdict,
        *,
        ran: bool,
        ended: Ended | None = None,
    ) -> None:
        """End the current attempt and settle the task, or try again."""
        self._waiting.roster.give_back(state.task, state.place)
        state.attempts.append(
            Attempt(
                state.attempt,
                state.place,
                verdict,
                state.started,
                self._time,
                ended.ending if ended else None,
            )
        )
        stopped = self._halt is not None or state.ordered is not None
        # The attempt is the last word, whatever went wrong before it was prepared.
        told = [*state.unmet, *(each.verdict for each in state.attempts)]
        # A new environment makes no place suitable that was not.
        is_vain = verdict.cause is Cause.UNSUITABLE and state.place in state.avoid
        retry = Retry.NO if stopped or is_vain else retry_after(state.task, told, ran=ran)
        if retry is not Retry.NO:
            attempt = state.attempts[-1]
            self._actions.append(Retried(state.task.number, attempt, state.alone))
        if retry is Retry.HERE and self._waiting.pool.has(state.place):
            # Others are as good, and better where trouble was not the test's.
            retry = Retry.ELSEWHERE if verdict.cause is Cause.INFRA else retry
        # What broke took its environment with it, perhaps even the place: a job goes on without it.
        is_broken = ran and ended is None
        if retry is Retry.HERE and (is_broken or not self._waiting.is_ready_for(state)):
            self._triage(state)
        elif retry is Retry.HERE:
            self._move(state, Phase.READY)
            self._waiting.queue(state)
        elif retry is Retry.ELSEWHERE:
            state.avoid = (*state.avoid, state.place)
            self._triage(state)
        else:
            self._settle(state, combine([each.verdict for each in state.attempts]))

    def _settle(self, state: TaskState, verdict: Verdict) -> None:
        number = state.task.number
        del self._states[number]
        self._ended[number] = verdict
        self.settled += 1
        self._actions.append(
            Settle(state.task, verdict, tuple(state.attempts), tuple(state.entered), state.place)
        )
        self._requested.extend(self._order.ended(state.task))
        if self._fail_fast and self._halt is None and not verdict.result.is_ok:
            self._halt = _not_started(state.task, verdict)
            waiting = [each for each in self._states.values() if each.phase in _WAITING]
            for each in waiting:
                self._discard(each, self._halt)

    # Which event may arrive in which phase.

    job_handlers: ClassVar[dict[type[Event], Callable[..., None]]] = {
        Begin: _begin,
        Met: _met,
        Unmet: _unmet,
        StopAll: _stop_all,
        Opened: _opened,
        Closed: _closed,
        Usable: _usable,
        GivenUp: _given_up,
    }

    task_handlers: ClassVar[dict[tuple[Phase, type[Event]], Callable[..., None]]] = {
        (Phase.TRIAGING, Triaged): _triaged,
        (Phase.TRIAGING, Refused): _refused,
        (Phase.STARTING, Started): _started,
        (Phase.STARTING, NotStarted): _not_started,
        (Phase.STARTING, Broken): _break,
        (Phase.STARTED, Ended): _finish,
        (Phase.STARTED, Broken): _break,
        # A retry may be on its way while news of the attempt before are on theirs.
        **dict.fromkeys(product(_WAITING, _NEWS), _ignore),
        **dict.fromkeys([(phase, Cancelled) for phase in (*_WAITING, *_RUNNING)], _cancel),
    }


def _infra(detail: str) -> Verdict:
    return Verdict(Result.ERROR, Cause.INFRA, detail)


def _not_started(failed: Task, verdict: Verdict) -> Verdict:
    detail = f"not started: {failed.id} ended {verdict.result.value} (fail-fast)"
    return Verdict(Result.CANCEL, Cause.CANCELLED, detail)
