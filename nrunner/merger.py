"""Several jobs as one, for reports: shards of one suite, or what ran on several machines.

Tasks are numbered anew, in the order of the jobs; each environment bears the name of its job.
Not responsible for reading jobs (``nrunner.pastjob``), nor for formats (``nrunner.results``).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from nrunner.layout import short_id
from nrunner.pastjob import PastJob
from nrunner.record import replace
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.text import task_name

__all__ = ["Merger"]

_Key = TypeVar("_Key")


class Merger:
    """Jobs that are reported as one."""

    def __init__(self, jobs: Sequence[PastJob]) -> None:
        self._jobs = jobs
        self._reports = [job.report() for job in jobs]
        self._folder = Path(os.path.commonpath([job.folder.root for job in jobs]))

    def report(self) -> JobReport:
        """Return what reports say about all jobs as a whole."""
        reports = self._reports
        start = min(each.time_start for each in reports)
        end = max(each.time_start + each.elapsed for each in reports)
        code = 0
        for each in reports:
            code |= each.exit_code
        cut = (f"{short_id(each.id)}: {each.interrupted}" for each in reports if each.interrupted)
        lags = [each.loop_lag_max for each in reports if each.loop_lag_max is not None]
        return JobReport(
            hashlib.sha1("".join(each.id for each in reports).encode()).hexdigest(),
            self._folder,
            ("nrunner", "report", *(short_id(each.id) for each in reports)),
            sum(each.total for each in reports),
            start,
            end - start,
            _added_up([each.tally for each in reports]),
            _added_up([each.causes for each in reports]),
            code,
            "; ".join(cut),
            {"jobs": {each.folder.name: each.id for each in reports}},
            max(lags, default=None),
        )

    def settled(self) -> Iterator[TaskReport]:
        """Yield the reports of all settled tasks, in order of their new numbers."""
        start = min(each.time_start for each in self._reports)
        before = 0
        for job, report in zip(self._jobs, self._reports, strict=True):
            for task in job.journal.settled():
                yield self._renewed(task, report, before, report.time_start - start)
            before += report.total

    def _renewed(self, task: TaskReport, job: JobReport, before: int, later: float) -> TaskReport:
        number = task.number + before
        inside = os.path.relpath(job.folder, self._folder)
        name = short_id(job.id)

        def within(place: str) -> str:
            return f"{name}/{place}" if place else ""

        attempts = [replace(each, environment=within(each.environment)) for each in task.attempts]
        return replace(
            task,
            number=number,
            id=f"{number}-{task_name(task.id)}",
            attempts=tuple(attempts),
            phases=tuple([(phase, round(time + later, 6)) for phase, time in task.phases]),
            environment=within(task.environment),
            log_dir=None if task.log_dir is None else f"{inside}/{task.log_dir}",
            outputs={key: f"{inside}/{path}" for key, path in task.outputs.items()},
        )


def _added_up(counts: Sequence[Mapping[_Key, int]]) -> dict[_Key, int]:
    total: dict[_Key, int] = {}
    for each in counts:
        for key, count in each.items():
            total[key] = total.get(key, 0) + count
    return total
