"""From a settled task to the report that everybody reads.

Makes TaskReports, keeps the tally, and tells listeners. Not responsible for formats (results) nor
for verdicts (``nrunner.machine``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nrunner.action import Settle
from nrunner.ending import Ending
from nrunner.layout import attempt_folder_name
from nrunner.record import dataclass, replace
from nrunner.result import Verdict
from nrunner.results.base import AttemptReport, JobReport, Listener, TaskReport
from nrunner.runnable import tags_to_json
from nrunner.status.tally import Tally
from nrunner.task import Attempt, Task

__all__ = ["JobClock", "Reporter"]

_TEST_RESULTS = "test-results"
_NO_ENDING = Ending(None)


@dataclass(frozen=True, slots=True)
class JobClock:
    """When the job began, on both clocks."""

    wall: float
    monotonic: float

    def wall_at(self, monotonic: float) -> float:
        """Return seconds since the epoch for a second of the monotonic clock."""
        return self.wall + (monotonic - self.monotonic)


class Reporter:
    """Makes reports and hands them on."""

    def __init__(
        self,
        job: JobReport,
        clock: JobClock,
        listeners: Sequence[Listener],
        in_folder: Sequence[Listener] = (),
    ) -> None:
        """`in_folder` are listeners, too: those that write into the job's folder."""
        self.job = job
        self.tally = Tally(job.total)
        self._clock = clock
        self.listeners = (*listeners, *in_folder)
        self._in_folder = in_folder

    def learn(self, facts: Mapping[str, Any]) -> None:
        """Have facts in the job's reports that were not known when it began."""
        self.job = replace(self.job, facts={**self.job.facts, **facts})

    def open(self) -> None:
        """Tell that the job begins."""
        for listener in self.listeners:
            listener.job_opened(self.job)

    def started(self, task: Task, time: float) -> None:
        """Tell that an attempt's payload runs."""
        for listener in self.listeners:
            listener.task_started(task, time)

    def settled(self, report: TaskReport) -> None:
        """Count and tell a task's verdict: it is in the journal."""
        self.tally.add(Verdict(report.result, report.cause))
        for listener in self.listeners:
            listener.task_settled(report)

    def notice(self, text: str) -> None:
        """Tell what people should know."""
        for listener in self.listeners:
            listener.notice(text)

    def flush(self) -> None:
        """Have listeners write what they were told."""
        for listener in self.listeners:
            listener.flush()

    def close_folder(self, job: JobReport) -> None:
        """Tell those that write into the job's folder that the job is over: the folder is whole."""
        self._close(self._in_folder, job)
        self.listeners = self.listeners[: len(self.listeners) - len(self._in_folder)]
        self._in_folder = ()

    def close(self, job: JobReport) -> None:
        """Tell that the job is over."""
        self.job = job
        self._close(self.listeners, job)

    @staticmethod
    def _close(listeners: Sequence[Listener], job: JobReport) -> None:
        for listener in listeners:
            listener.job_closed(job)
            listener.flush()

    def now(
        self,
        time: float,
        *,
        exit_code: int = 0,
        interrupted: str = "",
        loop_lag_max: float | None = None,
    ) -> JobReport:
        """Return the job's report as it is at a second of the monotonic clock."""
        return replace(
            self.job,
            elapsed=time - self._clock.monotonic,
            tally=dict(self.tally.results),
            causes=dict(self.tally.causes),
            exit_code=exit_code,
            interrupted=interrupted,
            loop_lag_max=loop_lag_max,
        )

    def report(self, action: Settle) -> TaskReport:
        """Make the report of a task that was just settled."""
        task, verdict, attempts = action.task, action.verdict, action.attempts
        began = self._clock.monotonic
        last = attempts[-1] if attempts else None
        ending = (last.ending if last else None) or _NO_ENDING
        end = last.ended if last else action.phases[-1][1]
        start = last.started if last and last.started is not None else end
        runnable = task.runnable
        folder = f"{_TEST_RESULTS}/{attempt_folder_name(task.number, task.id, len(attempts))}"
        outputs = {name: f"{folder}/{name}" for name in ending.outputs}
        return TaskReport(
            number=task.number,
            id=task.id,
            reference=task.reference,
            suite=task.suite,
            kind=runnable.kind,
            uri=runnable.uri,
            variant=runnable.variant_id,
            tags=tags_to_json(runnable.tags),
            result=verdict.result,
            cause=verdict.cause,
            detail=verdict.detail,
            attempts=tuple(self.attempt(each) for each in attempts),
            phases=tuple([(phase, round(time - began, 6)) for phase, time in action.phases]),
            time_start=self._clock.wall_at(start),
            time_end=self._clock.wall_at(end),
            elapsed=_elapsed(last),
            environment=action.place,
            returncode=ending.returncode,
            class_name=ending.class_name,
            fail_class=ending.fail_class,
            traceback=ending.traceback,
            whiteboard=ending.whiteboard,
            log_dir=folder if outputs else None,
            outputs=outputs,
            requirements=tuple([each.title for each in runnable.requirements]),
        )

    def attempt(self, attempt: Attempt) -> AttemptReport:
        """Make the report of an attempt that is over."""
        ending = attempt.ending or _NO_ENDING
        started = attempt.started
        return AttemptReport(
            attempt.number,
            attempt.environment,
            attempt.verdict.result,
            attempt.verdict.cause,
            attempt.verdict.detail,
            None if started is None else self._clock.wall_at(started),
            self._clock.wall_at(attempt.ended),
            _elapsed(attempt),
            ending.returncode,
            ending.core,
            ending.layer,
            ending.leaks,
            ending.doing,
            ending.unkillable,
        )


def _elapsed(attempt: Attempt | None) -> float:
    if attempt is None or attempt.started is None:
        return 0.0
    if attempt.ending is not None:
        return attempt.ending.elapsed
    return attempt.ended - attempt.started
