"""What happens next: a pure function of the state of all tasks and an event.

`Machine.handle` takes an event and returns actions. It awaits nothing, reads no clock and touches
no file, so it is tested synchronously and replays a journal exactly. Legal moves stand in
``nrunner.phase``; which event may arrive in which phase stands in the table at the end of this
module. Not responsible for carrying actions out; that is ``nrunner.scheduler``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar

from nrunner.action import Action, Fulfil, Move, Settle, Start, StopAttempt, Triage
from nrunner.errors import InvalidTransition
from nrunner.event import (
    Begin,
    Broken,
    Cancelled,
    Ended,
    Event,
    Met,
    NotStarted,
    Refused,
    Started,
    StopAll,
    TaskEvent,
    Triaged,
    Unmet,
)
from nrunner.graph import Order, Preparations
from nrunner.limits import Limits
from nrunner.phase import MOVES, Phase
from nrunner.result import Cause, Result, Verdict
from nrunner.settlement import LeakPolicy, Retry, combine, judge, retry_after
from nrunner.task import Attempt, Task

__all__ = ["Machine", "TaskState"]

_WAITING = (Phase.REQUESTED, Phase.TRIAGING, Phase.PREPARING, Phase.READY)
_CANCELLABLE = (*_WAITING, Phase.STARTING, Phase.STARTED)

_LOOKAHEAD = 64
"""How many tasks are triaged before there is room for them."""


class TaskState:
    """Where one task is; dropped once it is settled."""

    __slots__ = (
        "attempt",
        "attempts",
        "avoid",
        "entered",
        "killed",
        "ordered",
        "phase",
        "place",
        "started",
        "task",
    )

    def __init__(self, task: Task, time: float) -> None:
        self.task = task
        self.phase = Phase.REQUESTED
        self.attempt = 0
        self.place = ""
        self.started: float | None = None
        self.ordered: Verdict | None = None
        self.killed = False
        self.avoid: tuple[str, ...] = ()
        self.attempts: list[Attempt] = []
        self.entered: list[tuple[Phase, float]] = [(Phase.REQUESTED, time)]

    @property
    def story(self) -> str:
        """The phases it went through, for error messages."""
        return " -> ".join(phase.value for phase, _ in self.entered)


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
    ) -> None:
        self.total = len(tasks)
        self.settled = 0
        self.ignored = 0
        """Events that came too late to change anything."""
        self._tasks = {task.number: task for task in tasks}
        self._states: dict[int, TaskState] = {}
        self._ended: dict[int, Verdict] = {}
        self._order = Order(tasks, in_order=in_order)
        self._preparations = Preparations()
        self._limits = limits
        self._fail_fast = fail_fast
        self._leak = leak
        self._halt: Verdict | None = (
            Verdict(Result.CANCEL, Cause.CANCELLED, "dry run") if dry_run else None
        )
        self._requested: deque[int] = deque()
        self._ready: dict[str, deque[int]] = {}
        self._ahead = 0
        self._time = 0.0
        self._actions: list[Action] = []

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
        else:
            self.job_handlers[type(event)](self, event)
        self._advance()
        actions, self._actions = self._actions, []
        return actions

    def _handle_task_event(self, event: TaskEvent) -> None:
        state = self._states.get(event.number)
        if state is None:
            if event.number in self._ended or isinstance(event, Cancelled):
                self._handle_without_state(event)
                return
            raise InvalidTransition(f"task {event.number} is not known, at {event}")
        if getattr(event, "attempt", state.attempt) != state.attempt:
            self.ignored += 1
            return
        handler = self.task_handlers.get((state.phase, type(event)))
        if handler is None:
            raise InvalidTransition(f"{state.task.id}: {type(event).__name__} after {state.story}")
        handler(self, state, event)

    def _handle_without_state(self, event: TaskEvent) -> None:
        task = self._tasks.get(event.number)
        if event.number in self._ended or task is None or not isinstance(event, Cancelled):
            self.ignored += 1
            return
        state = self._states[event.number] = TaskState(task, self._time)
        self._discard(state, event.verdict)

    # What happens to the job as a whole.

    def _begin(self, _event: Event) -> None:
        self._requested.extend(self._order.first())

    def _met(self, event: Met) -> None:
        for number in self._preparations.met(event.place, event.key):
            state = self._states[number]
            self._move(state, Phase.READY)
            self._queue(state)

    def _unmet(self, event: Unmet) -> None:
        for number in self._preparations.failed(event.place, event.key):
            self._discard(self._states[number], event.verdict)

    def _stop_all(self, event: StopAll) -> None:
        self._halt = event.waiting
        for state in list(self._states.values()):
            running = state.phase in (Phase.STARTING, Phase.STARTED)
            verdict = event.running if running else event.waiting
            self._cancel(state, Cancelled(event.time, state.task.number, verdict, event.kill))

    # What happens to one task.

    def _triaged(self, state: TaskState, event: Triaged) -> None:
        self._ahead -= 1
        state.place = event.place
        number = state.task.number
        done, begin = self._preparations.need(number, event.place, event.requirements)
        self._move(state, Phase.READY if done else Phase.PREPARING)
        if done:
            self._queue(state)
        self._actions.extend(Fulfil(event.place, requirement) for requirement in begin)

    def _refused(self, state: TaskState, event: Refused) -> None:
        self._ahead -= 1
        if state.attempts:
            verdict = combine([each.verdict for each in state.attempts])
            self._move(state, Phase.DISCARDED)
            self._settle(state, verdict)
        else:
            self._settle_as(state, Phase.DISCARDED, event.verdict)

    def _started(self, state: TaskState, event: Started) -> None:
        state.started = event.time
        self._move(state, Phase.STARTED)

    def _not_started(self, state: TaskState, event: NotStarted) -> None:
        self._move(state, Phase.FAILED_TO_START)
        self._conclude(state, state.ordered or event.verdict, ran=False)

    def _finish(self, state: TaskState, event: Ended) -> None:
        verdict = judge(event.ending, state.ordered, self._leak)
        self._move(state, Phase.INTERRUPTED if event.ending.stop else Phase.FINISHED)
        self._conclude(state, verdict, ran=True, ended=event)

    def _break(self, state: TaskState, event: Broken) -> None:
        ran = state.phase is Phase.STARTED
        self._move(state, Phase.INTERRUPTED if ran else Phase.FAILED_TO_START)
        self._conclude(state, state.ordered or event.verdict, ran=ran)

    def _cancel(self, state: TaskState, event: Cancelled) -> None:
        if state.phase not in (Phase.STARTING, Phase.STARTED):
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
        """Do what the event made possible: request, triage and start as far as there is room."""
        room = self._limits.most + _LOOKAHEAD
        while self._requested and (self._halt is not None or self._ahead < room):
            number = self._requested.popleft()
            if number in self._ended:
                continue
            state = self._states[number] = TaskState(self._tasks[number], self._time)
            if self._halt is not None:
                self._settle_as(state, Phase.DISCARDED, self._halt)
            else:
                self._triage(state)
        for place, ready in self._ready.items():
            while ready and self._limits.try_take(place):
                self._start(self._states[ready.popleft()])

    def _triage(self, state: TaskState) -> None:
        self._ahead += 1
        self._move(state, Phase.TRIAGING)
        self._actions.append(Triage(state.task, state.avoid))

    def _queue(self, state: TaskState) -> None:
        self._ahead += 1
        self._ready.setdefault(state.place, deque()).append(state.task.number)

    def _start(self, state: TaskState) -> None:
        self._ahead -= 1
        state.attempt += 1
        state.started = None
        self._move(state, Phase.STARTING)
        self._actions.append(Start(state.task, state.attempt, state.place))

    def _move(self, state: TaskState, target: Phase) -> None:
        if target not in MOVES[state.phase]:
            raise InvalidTransition(f"{state.task.id}: {state.story} -> {target.value}")
        state.phase = target
        state.entered.append((target, self._time))
        self._actions.append(Move(state.task.number, state.attempt, target, self._time))

    def _discard(self, state: TaskState, verdict: Verdict) -> None:
        """Settle a task that is not running: first cause wins, so earlier attempts count."""
        number = state.task.number
        if state.phase in (Phase.TRIAGING, Phase.READY):
            self._ahead -= 1
        if state.phase is Phase.READY:
            self._ready[state.place].remove(number)
        self._preparations.forget(number)
        self._settle_as(state, Phase.DISCARDED, verdict)

    def _settle_as(self, state: TaskState, phase: Phase, verdict: Verdict) -> None:
        failed = [each.verdict for each in state.attempts if not each.verdict.result.is_ok]
        self._move(state, phase)
        self._settle(state, failed[-1] if failed else verdict)

    def _conclude(
        self, state: TaskState, verdict: Verdict, *, ran: bool, ended: Ended | None = None
    ) -> None:
        """End the current attempt and settle the task, or try again."""
        self._limits.give_back(state.place)
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
        verdicts = [each.verdict for each in state.attempts]
        stopped = self._halt is not None or state.ordered is not None
        retry = Retry.NO if stopped else retry_after(state.task, verdicts, ran=ran)
        if retry is Retry.HERE:
            self._move(state, Phase.READY)
            self._queue(state)
        elif retry is Retry.ELSEWHERE:
            state.avoid = (*state.avoid, state.place)
            self._triage(state)
        else:
            self._settle(state, combine(verdicts))

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
            detail = f"not started: {state.task.id} ended {verdict.result.value} (fail-fast)"
            self._halt = Verdict(Result.CANCEL, Cause.CANCELLED, detail)
            waiting = [each for each in self._states.values() if each.phase in _WAITING]
            for each in waiting:
                self._discard(each, self._halt)

    # Which event may arrive in which phase.

    job_handlers: ClassVar[dict[type[Event], Callable[..., None]]] = {
        Begin: _begin,
        Met: _met,
        Unmet: _unmet,
        StopAll: _stop_all,
    }

    task_handlers: ClassVar[dict[tuple[Phase, type[Event]], Callable[..., None]]] = {
        (Phase.TRIAGING, Triaged): _triaged,
        (Phase.TRIAGING, Refused): _refused,
        (Phase.STARTING, Started): _started,
        (Phase.STARTING, NotStarted): _not_started,
        (Phase.STARTING, Broken): _break,
        (Phase.STARTED, Ended): _finish,
        (Phase.STARTED, Broken): _break,
        # A retry may be queued or triaged while news of the attempt before are on their way.
        (Phase.TRIAGING, Ended): _ignore,
        (Phase.TRIAGING, Broken): _ignore,
        (Phase.READY, Ended): _ignore,
        (Phase.READY, Broken): _ignore,
        **dict.fromkeys([(phase, Cancelled) for phase in _CANCELLABLE], _cancel),
    }
