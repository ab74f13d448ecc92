"""Runs of the scheduler with a real machine and journal, under a fake clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nrunner.journal import Journal, read_records
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.phase import Phase, is_legal
from nrunner.reporter import JobClock, Reporter
from nrunner.result import Cause, Result
from nrunner.results.base import JobReport, TaskReport
from nrunner.runnable import Requirement, Runnable
from nrunner.scheduler import Scheduler
from nrunner.task import Task, TaskLimits
from nrunner.testing.fake_clock import FakeClock
from nrunner.testing.fake_spawner import FakeSpawner


@dataclass
class Ears:
    """A listener that holds what it is told against the journal."""

    path: Path
    told: list[tuple[str, int]] = field(default_factory=list)
    reports: list[TaskReport] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    on_started: Callable[[Task], None] = lambda task: None

    def job_opened(self, job: JobReport) -> None: ...

    def task_started(self, task: Task, time: float) -> None:
        assert (task.number, "STARTED") in self.journalled("move", "phase")
        self.told.append(("started", task.number))
        self.on_started(task)

    def task_settled(self, report: TaskReport) -> None:
        assert report.number in [number for number, _ in self.journalled("settled", "task")]
        self.told.append(("settled", report.number))
        self.reports.append(report)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def flush(self) -> None: ...

    def job_closed(self, job: JobReport) -> None: ...

    def journalled(self, kind: str, key: str) -> list[tuple[int, Any]]:
        records = read_records(self.path)
        return [(each["task"], each[key]) for each in records if each["type"] == kind]


@dataclass
class Done:
    """What came of a run."""

    scheduler: Scheduler
    ears: Ears
    records: list[dict[str, Any]]
    seconds: float
    """By the fake clock."""

    @property
    def verdicts(self) -> dict[int, tuple[Result, Cause]]:
        return {each.number: (each.result, each.cause) for each in self.ears.reports}

    def report(self, number: int) -> TaskReport:
        (found,) = [each for each in self.ears.reports if each.number == number]
        return found

    def phases(self, number: int) -> list[str]:
        moves = [each for each in self.records if each["type"] == "move"]
        return [each["phase"] for each in moves if each["task"] == number]

    def first(self, number: int, phase: Phase) -> int:
        """The place in the journal of a move."""
        for place, each in enumerate(self.records):
            if each["type"] == "move" and (each["task"], each["phase"]) == (number, phase.value):
                return place
        raise AssertionError(f"task {number} never was {phase.value}")


def task(
    number: int,
    uri: str,
    *needs: str,
    kind: str = "exec-test",
    retries: int = 0,
    limits: TaskLimits | None = None,
) -> Task:
    requirements = tuple(Requirement("file", each) for each in needs)
    runnable = Runnable(kind, uri, requirements=requirements)
    return Task(
        number, f"{number}-{uri}", runnable, uri, limits=limits or TaskLimits(), retries=retries
    )


def run_tasks(
    tmp_path: Path,
    tasks: Sequence[Task],
    spawner: Callable[[], FakeSpawner],
    *,
    beside: Callable[[Scheduler], Coroutine[Any, Any, None]] | None = None,
    parallel: int = 4,
    expect: type[Exception] | None = None,
    prepare: Callable[[Journal], None] = lambda journal: None,
    **options: Any,
) -> Done:
    """Run tasks to the end and check what always holds."""
    path = tmp_path / "journal.jsonl"
    ears = Ears(path)
    clock = FakeClock()

    async def main() -> tuple[Scheduler, FakeSpawner]:
        made = spawner()
        journal = Journal(path)
        prepare(journal)
        limits = Limits(parallel)
        for place, slots in options.get("pooled", {}).items():
            limits.set_place(place, slots)
        scheduler = _scheduler(tmp_path, Machine(tasks, limits, **options), made, journal, ears)
        try:
            async with asyncio.TaskGroup() as group:
                if beside is not None:
                    group.create_task(beside(scheduler))
                with pytest.raises(expect) if expect is not None else nullcontext():
                    await scheduler.run()
            assert len(asyncio.all_tasks()) == 1, "somebody still waits for something"
        finally:
            journal.close()
        return scheduler, made

    began = clock.now
    scheduler, made = clock.run(main())
    done = Done(scheduler, ears, list(read_records(path)), clock.now - began)
    assert made.alive == []
    assert made.opening == 0
    assert made.is_closed
    if expect is None:
        check(done, tasks)
    return done


def _scheduler(
    tmp_path: Path, machine: Machine, spawner: FakeSpawner, journal: Journal, ears: Ears
) -> Scheduler:
    job = JobReport("job", tmp_path, (), machine.total, 0.0)
    settings = {
        "job_id": "job",
        "results_dir": str(tmp_path),
        "slots_dir": str(tmp_path / "slots"),
        "base_dir": str(tmp_path),
    }
    ears.scheduler = Scheduler(
        machine,
        spawner,
        journal,
        Reporter(job, JobClock(0.0, time.monotonic()), (ears,)),
        settings=settings,
        log_dir=lambda each, *_: str(tmp_path / "logs" / str(each.number)),
    )
    return ears.scheduler


def check(done: Done, tasks: Sequence[Task]) -> None:
    """What holds of every run: one verdict per task, legal moves, told after it was written."""
    settled = [each["task"] for each in done.records if each["type"] == "settled"]
    assert sorted(settled) == sorted(each.number for each in tasks)
    assert sorted(each.number for each in done.ears.reports) == sorted(settled)
    for each in tasks:
        phases = [Phase.REQUESTED, *map(Phase, done.phases(each.number))]
        assert all(is_legal(a, b) for a, b in pairwise(phases)), phases
        assert tuple(phase for phase, _ in done.report(each.number).phases) == tuple(phases)
