"""What a journal tells of a job so far: the plan, who has a verdict, and how far the others are.

A fold over records. A record that may have been written without what belongs to it (the controller
was killed in between) counts as not written, since its agent tells it again. Not responsible for
files (``nrunner.journal``), nor for going on (``nrunner.machine``, ``nrunner.job``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from nrunner.ending import Ending
from nrunner.errors import JournalError
from nrunner.phase import Phase
from nrunner.plan import JobPlan, ReportTarget
from nrunner.record import dataclass, field
from nrunner.result import Cause, Result, Verdict
from nrunner.results.base import AttemptReport
from nrunner.runnable import Runnable
from nrunner.task import Attempt, Task, TaskLimits
from nrunner.taskstate import TaskState

__all__ = [
    "History",
    "PastEnvironment",
    "PastTask",
    "job_record",
    "past_states",
    "planned_record",
]

_SENSELESS = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    msgspec.ValidationError,
)
"""What comes of a field that is missing or wrong."""

_RUNNING = (Phase.STARTING, Phase.STARTED)
_WAITING = (Phase.TRIAGING, Phase.PREPARING, Phase.READY)
_ELSEWHERE = (Cause.INFRA, Cause.UNSUITABLE)
"""What makes a task avoid the place where that came of it."""


@dataclass(slots=True)
class PastTask:
    """How far a task is that has no verdict; times are in seconds since the job began."""

    task: Task
    phases: list[tuple[Phase, float]] = field(default_factory=list)
    attempt: int = 0
    place: str = ""
    berth: str = ""
    """Where at that place, if each attempt there has an environment of its own."""
    is_placed: bool = True
    """Whether it is known where at that place its attempt was ordered."""
    attempts: list[AttemptReport] = field(default_factory=list)
    alone: bool = False
    """Whether it is to be tried while nothing else runs at its place."""
    crashes: int = 0
    """How many controllers died over its current attempt: it was starting, and nothing followed."""

    @property
    def phase(self) -> Phase:
        """Where it is."""
        return self.phases[-1][0] if self.phases else Phase.REQUESTED

    @property
    def is_running(self) -> bool:
        """Whether its attempt was ordered, and nobody has told how that ended."""
        return self.phase in _RUNNING

    @property
    def has_started(self) -> bool:
        """Whether its payload is known to have run."""
        return self.phase is Phase.STARTED

    def settle_down(self, *, suspect: bool, reached: bool = True) -> None:
        """Drop what was on its way: triage is repeated, and the end of an attempt told again.

        `suspect` says whether what was starting may be what the controller died of, `reached`
        whether the order of an attempt that was starting may have reached an agent.
        """
        told = bool(self.attempts) and self.attempts[-1].number == self.attempt
        if self.phase is Phase.DISCARDED or (self.phase.is_end and not told):
            self.phases.pop()
        while self.phase is Phase.TRIAGING:
            self.phases.pop()
        if not reached and self.phase is Phase.STARTING:
            self.phases.pop()
            self.attempt -= 1
        elif suspect and self.phase is Phase.STARTING:
            self.crashes += 1


@dataclass(frozen=True, slots=True)
class PastEnvironment:
    """An environment that was open when the controller died, as far as the journal knows."""

    place: str
    generation: int
    address: Mapping[str, Any]


class History:
    """The state of a job, record by record."""

    def __init__(self) -> None:
        self.format = 0
        self.id = ""
        self.wall = 0.0
        """When the job began, in seconds since the epoch."""
        self.boot_id = ""
        self.base = 0.0
        """When it began by the monotonic clock of the controller that wrote the last record."""
        self.epoch = 1
        """That of this controller: a newer one has a greater one."""
        self.now = 0.0
        """Seconds from the job's beginning to the last record that says when it was written."""
        self.spent = 0.0
        """Seconds during which a controller was at work."""
        self.total = 0
        self.verdicts: dict[int, Verdict] = {}
        self.open: dict[int, PastTask] = {}
        self.tasks: list[Task] = []
        self.environments: dict[str, PastEnvironment] = {}
        self.generations: dict[str, int] = {}
        self.notices: list[str] = []
        self.interrupted = ""
        """Why the job was cut short, whoever goes on with it; empty if it was not."""
        self.closed: Mapping[str, Any] | None = None
        self._head: Mapping[str, Any] = {}
        self._learned: dict[str, Any] = {}
        self._life = 0.0
        self._has_moved = False
        """Whether anything was heard of attempts since the last one was ordered."""

    @property
    def is_planned(self) -> bool:
        """Whether all tasks are known: nothing runs before that."""
        return bool(self._head) and len(self.tasks) == self.total

    @property
    def is_complete(self) -> bool:
        """Whether every task has its verdict."""
        return self.is_planned and len(self.verdicts) == self.total

    @property
    def command(self) -> tuple[str, ...]:
        """The command line that began the job."""
        return tuple(self._head.get("command", ()))

    @property
    def writers(self) -> tuple[str, ...]:
        """The reports that are written into its folder."""
        return tuple(self._head.get("plan", {}).get("writers", ("json", "tap")))

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings that parts of the job read by key."""
        config: Mapping[str, Any] = self._head.get("plan", {}).get("config", {})
        return config

    @property
    def facts(self) -> Mapping[str, Any]:
        """What its report says beside all else."""
        facts: Mapping[str, Any] = self._head.get("plan", {}).get("facts", {})
        return {**facts, **self._learned}

    def visit(self, record: Mapping[str, Any]) -> None:
        """Take the next record; raise JournalError for one that makes no sense."""
        kind = record.get("type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is not None:
            try:
                handler(self, record)
            except _SENSELESS as error:
                raise JournalError(f"understand its record {record}: {error!r}") from error

    def settle_down(self) -> None:
        """Note that the controller who wrote all this is gone."""
        self.spent += max(0.0, self.now - self._life)
        for past in self.open.values():
            # Where attempts have environments of their own, these are opened before the order.
            reached = past.berth == past.place or past.berth in self.environments
            past.settle_down(suspect=not self._has_moved, reached=reached and past.is_placed)

    def plan(self, folder: Path) -> JobPlan:
        """Return the plan of the job in a folder; raise JournalError if the journal lacks it."""
        head = self._head
        if "plan" not in head:
            raise JournalError(
                f"go on with {folder}: its journal has format {self.format}, which does not hold"
                " the plan (its reports can be made: nrunner report)"
            )
        try:
            plan = {**head["plan"]}
            base = Path(head["base_dir"])
            plan["reports"] = tuple(_target(base, **each) for each in plan["reports"])
            plan["writers"] = tuple(plan["writers"])
            return JobPlan(
                tasks=tuple(self.tasks),
                base_dir=base,
                results_dir=folder.parent,
                command=self.command,
                **plan,
            )
        except _SENSELESS as error:
            raise JournalError(f"understand its plan: {error!r}") from error

    # One method for each type of record.

    def _job(self, record: Mapping[str, Any]) -> None:
        plan = record.get("plan", {})
        texts = (*record.get("command", ()), *plan.get("writers", ()))
        if not all(isinstance(each, str) for each in texts):
            raise TypeError("expected words")
        if not isinstance(plan.get("facts", {}), Mapping):
            raise TypeError("expected facts")
        self._head = record
        self.format = record["format"]
        self.id = record["id"]
        self.wall = record["wall"]
        self.base = record["monotonic"]
        self.boot_id = record.get("boot_id", "")
        self.total = record["total"]

    def _planned(self, record: Mapping[str, Any]) -> None:
        task = Task(
            record["task"],
            record["id"],
            Runnable.from_json(record["runnable"]),
            record["reference"],
            record["suite"],
            TaskLimits(**record["limits"]),
            record["retries"],
            record.get("idempotent", False),
            record.get("series", ""),
        )
        self.tasks.append(task)

    def _move(self, record: Mapping[str, Any]) -> None:
        number = record["task"]
        past = self.open.get(number)
        if past is None:
            past = self.open[number] = PastTask(self.tasks[number - 1])
        self.now = max(self.now, record["time"] - self.base)
        past.phases.append((Phase(record["phase"]), record["time"] - self.base))
        if record["attempt"] != past.attempt:
            past.attempt = record["attempt"]
            past.crashes = 0
        if "place" in record:
            past.place = past.berth = record["place"]
            past.is_placed = not record.get("assigned_later", False)
        if past.phase not in _WAITING:
            self._has_moved = past.phase is not Phase.STARTING

    def _assigned(self, record: Mapping[str, Any]) -> None:
        past = self.open[record["task"]]
        past.berth, past.is_placed = record["place"], True

    def _attempt(self, record: Mapping[str, Any]) -> None:
        past = self.open[record["task"]]
        past.attempts.append(msgspec.convert(record["report"], AttemptReport))
        past.alone = record.get("alone", False)

    def _settled(self, record: Mapping[str, Any]) -> None:
        report = record["report"]
        number = record["task"]
        if type(number) is not int or not 1 <= number <= len(self.tasks):
            raise ValueError("there is no such task")
        verdict = Verdict(Result(report["result"]), Cause(report["cause"]), report["detail"])
        self.verdicts[number] = verdict
        self.open.pop(number, None)

    def _environment(self, record: Mapping[str, Any]) -> None:
        place, generation = record["place"], record["generation"]
        self.environments[place] = PastEnvironment(place, generation, record["address"])
        self.generations[place] = generation

    def _gone(self, record: Mapping[str, Any]) -> None:
        past = self.environments.get(record["place"])
        if past is not None and past.generation == record["generation"]:
            del self.environments[record["place"]]

    def _resumed(self, record: Mapping[str, Any]) -> None:
        self.settle_down()
        self.epoch = record["epoch"]
        self.base = record["monotonic"]
        self.boot_id = record["boot_id"]
        self.now = self._life = record["time"] - self.base
        self.closed = None
        self._has_moved = False

    def _stopped(self, record: Mapping[str, Any]) -> None:
        self.interrupted = self.interrupted or str(record["reason"])

    def _closed(self, record: Mapping[str, Any]) -> None:
        self.closed = record
        # Before there were records of that, this one alone told.
        self.interrupted = self.interrupted or str(record.get("interrupted", ""))

    def _notice(self, record: Mapping[str, Any]) -> None:
        self.notices.append(record["text"])

    def _facts(self, record: Mapping[str, Any]) -> None:
        self._learned.update(record["facts"])

    _handlers: ClassVar[Mapping[str, Callable[[History, Mapping[str, Any]], None]]] = {
        "job": _job,
        "planned": _planned,
        "move": _move,
        "assigned": _assigned,
        "attempt": _attempt,
        "settled": _settled,
        "environment": _environment,
        "gone": _gone,
        "resumed": _resumed,
        "stopped": _stopped,
        "closed": _closed,
        "notice": _notice,
        "facts": _facts,
    }


def _target(base: Path, writer: str, target: str) -> ReportTarget:
    """Return a report that was asked for where the job began, not where somebody goes on."""
    return ReportTarget(writer, target if target == "-" else str(base / target))


def past_states(history: History, base: float) -> list[TaskState]:
    """Return the states of all tasks under way, for ``Machine.restore``.

    `base` is when the job began, by the monotonic clock of this controller.
    """
    return [_state_of(past, base, base - history.wall) for past in history.open.values()]


def _state_of(past: PastTask, base: float, shift: float) -> TaskState:
    state = TaskState(past.task, base)
    state.entered += [(phase, base + time) for phase, time in past.phases]
    state.phase = past.phase
    state.attempt = past.attempt
    state.attempts = [_attempt_of(report, shift) for report in past.attempts]
    state.alone = past.alone
    if past.is_running:
        state.place = past.place
        state.requirements = past.task.runnable.requirements
        if past.phase is Phase.STARTED:
            state.started = base + past.phases[-1][1]
    else:
        elsewhere = (each.environment for each in past.attempts if each.cause in _ELSEWHERE)
        state.avoid = tuple(dict.fromkeys(elsewhere))
        state.is_restored = True
    return state


def _attempt_of(report: AttemptReport, shift: float) -> Attempt:
    started = report.time_start
    ending = Ending(
        None,
        returncode=report.returncode,
        core=report.core,
        elapsed=report.elapsed,
        leaks=report.leaks,
        layer=report.layer,
    )
    return Attempt(
        report.number,
        report.environment,
        Verdict(report.result, report.cause, report.detail),
        None if started is None else started + shift,
        report.time_end + shift,
        ending,
    )


def job_record(
    plan: JobPlan, *, job_format: int, job_id: str, wall: float, monotonic: float, boot: str
) -> dict[str, Any]:
    """Return the first record of a journal, which holds the plan but for its tasks."""
    return {
        "type": "job",
        "format": job_format,
        "id": job_id,
        "wall": wall,
        "monotonic": monotonic,
        "boot_id": boot,
        "total": len(plan.tasks),
        "command": plan.command,
        "base_dir": str(plan.base_dir),
        "plan": {
            "spawner": plan.spawner,
            "max_parallel": plan.max_parallel,
            "job_timeout": plan.job_timeout,
            "fail_fast": plan.fail_fast,
            "dry_run": plan.dry_run,
            "payload_env": dict(plan.payload_env),
            "config": dict(plan.config),
            "writers": plan.writers,
            "reports": plan.reports,
            "suites_in_order": plan.suites_in_order,
            "facts": dict(plan.facts),
        },
    }


def planned_record(task: Task) -> dict[str, Any]:
    """Return the record that a task is planned."""
    record: dict[str, Any] = {
        "type": "planned",
        "task": task.number,
        "id": task.id,
        "reference": task.reference,
        "suite": task.suite,
        "runnable": task.runnable.to_json(),
        "limits": task.limits,
        "retries": task.retries,
    }
    if task.idempotent:
        record["idempotent"] = True
    if task.series:
        record["series"] = task.series
    return record
