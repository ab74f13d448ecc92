"""Retelling: from the records of a journal to what listeners hear, as if the job ran here.

So a console shows a job that runs elsewhere, or ran once. Not responsible for where the records
come from (``nrunner.journal``, ``nrunner.control``), nor for going on with a job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from nrunner.errors import JournalError
from nrunner.phase import Phase
from nrunner.record import replace
from nrunner.result import Cause, Result
from nrunner.results.base import JobReport, Listener, TaskReport
from nrunner.runnable import Runnable
from nrunner.task import Task, TaskLimits

__all__ = ["Retelling"]

Record = Mapping[str, Any]


class Retelling:
    """Tells one listener what records say."""

    def __init__(
        self,
        folder: Path,
        listener: Listener,
        *,
        is_silent: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Tell of the job in `folder`; if `is_silent`, nothing before `speak` is called."""
        self._folder = folder
        self._listener = listener
        self._is_silent = is_silent
        self._clock = clock
        self._job: JobReport | None = None
        self._tasks: dict[int, Task] = {}
        self._running: dict[int, float] = {}
        self._tally = dict.fromkeys(Result, 0)
        self._causes = dict.fromkeys(Cause, 0)
        self._closed: Record | None = None

    @property
    def is_whole(self) -> bool:
        """Whether each planned task has been settled."""
        return self._job is not None and sum(self._tally.values()) == self._job.total

    def take(self, record: Record) -> None:
        """Take the next record; raise JournalError for one that makes no sense."""
        handler = self._handlers.get(record.get("type", ""))
        if handler is None:
            return
        try:
            handler(self, record)
        except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
            raise JournalError(f"understand its record {record}: {error!r}") from error

    def speak(self) -> None:
        """End the silence, if there is one: tell how things stand, without what led there."""
        was_silent, self._is_silent = self._is_silent, False
        if was_silent and self._job is not None:
            self._open(self._job)
            for number, started in self._running.items():
                self._listener.task_started(self._tasks[number], started)

    def flush(self) -> None:
        """Have the listener write what it was told."""
        if not self._is_silent:
            self._listener.flush()

    def finish(self) -> int | None:
        """Tell that the job is over, if it is; return its exit code, None if it is not over."""
        if self._job is None or self._closed is None:
            return None
        code = int(self._closed["exit_code"])
        job = replace(
            self._now(self._job),
            elapsed=self._closed["elapsed"],
            exit_code=code,
            interrupted=self._closed.get("interrupted", ""),
        )
        self._listener.job_closed(job)
        self._listener.flush()
        return code

    def _open(self, job: JobReport) -> None:
        elapsed = max(0.0, self._clock() - job.time_start)
        self._listener.job_opened(replace(self._now(job), elapsed=elapsed))

    def _now(self, job: JobReport) -> JobReport:
        return replace(job, tally=dict(self._tally), causes=dict(self._causes))

    # One method for each type of record.

    def _take_job(self, record: Record) -> None:
        self._job = JobReport(
            str(record["id"]),
            self._folder,
            tuple(record["command"]),
            int(record["total"]),
            float(record["wall"]),
        )
        if not self._is_silent:
            self._open(self._job)

    def _take_planned(self, record: Record) -> None:
        runnable = record["runnable"]
        self._tasks[record["task"]] = Task(
            record["task"],
            record["id"],
            Runnable(runnable["kind"], runnable.get("uri")),
            limits=TaskLimits(**record["limits"]),
        )

    def _take_move(self, record: Record) -> None:
        number = record["task"]
        if Phase(record["phase"]) is not Phase.STARTED:
            self._running.pop(number, None)
            return
        task, started = self._tasks[number], float(record["time"])
        self._running[number] = started
        if not self._is_silent:
            self._listener.task_started(task, started)

    def _take_settled(self, record: Record) -> None:
        report = msgspec.convert(record["report"], TaskReport)
        self._running.pop(report.number, None)
        self._tasks.pop(report.number, None)
        self._tally[report.result] += 1
        self._causes[report.cause] += 1
        if not self._is_silent:
            self._listener.task_settled(report)

    def _take_notice(self, record: Record) -> None:
        text = str(record["text"])
        if not self._is_silent:
            self._listener.notice(text)

    def _take_resumed(self, record: Record) -> None:
        self._closed = None

    def _take_closed(self, record: Record) -> None:
        self._closed = record

    def _take_exit(self, record: Record) -> None:
        if self._closed is not None:
            self._closed = {**self._closed, "exit_code": record["exit_code"]}

    _handlers: ClassVar[Mapping[str, Callable[[Retelling, Record], None]]] = {
        "job": _take_job,
        "planned": _take_planned,
        "move": _take_move,
        "settled": _take_settled,
        "notice": _take_notice,
        "resumed": _take_resumed,
        "closed": _take_closed,
        "exit": _take_exit,
    }
