"""A job that does not answer, as the control API sees one: from its journal, and nothing happens.

Not responsible for HTTP (``nrunner.status``), nor for jobs that run (``nrunner.watch``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nrunner.layout import JobFolder, short_id
from nrunner.pastjob import PastJob
from nrunner.phase import Phase
from nrunner.results.base import JobReport
from nrunner.runnable import tags_to_json
from nrunner.status.view import ApiEvent, JobOver, TaskView
from nrunner.task import Task
from nrunner.watch import event_of

__all__ = ["PastView"]


class PastView:
    """Implements ``nrunner.status.view.JobView`` for a job of which no controller is heard."""

    def __init__(self, folder: JobFolder, out_of_reach: str = "") -> None:
        """Read the journal; raise JournalError if that is not possible.

        `out_of_reach` says why the job does not answer for itself, if it is not over.
        """
        self._out_of_reach = out_of_reach
        self._past = PastJob(folder)
        self._report = self._past.report()

    def job(self) -> JobReport:
        """Return the job as it ended, or as far as it got."""
        return self._report

    def is_over(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return not self._out_of_reach

    def task(self, number: int) -> TaskView | None:
        """Return a task, or None if there is none with that number."""
        tasks = self._past.history.tasks
        return self._view(tasks[number - 1]) if 1 <= number <= len(tasks) else None

    def tasks(self, start: int, limit: int) -> Sequence[TaskView]:
        """Return at most `limit` tasks in order, the first numbered `start` or above."""
        first = max(0, start - 1)
        return [self._view(task) for task in self._past.history.tasks[first : first + limit]]

    def log_path(self, number: int, stream: str) -> Path | None:
        """Return where a task's ``stdout`` or ``stderr`` is, or None if it has none."""
        report = self._past.journal.report_of(number)
        name = None if report is None else report.outputs.get(stream)
        return self._past.folder.root / name if name else None

    def cancel_task(self, number: int) -> bool:
        """Say no: nothing runs, or nobody hears it."""
        if self._out_of_reach:
            raise JobOver(f"cancel task {number}: {self._out_of_reach}")
        return False

    def cancel_job(self, *, kill: bool = False) -> None:
        """Say no: nothing runs, or nobody hears it."""
        why = self._out_of_reach or "it does not run"
        raise JobOver(f"cancel job {short_id(self._report.id)}: {why}")

    def newest(self) -> int:
        """Return the id of the newest event; 0 if there is none."""
        return self._past.journal.records

    def events_after(self, event_id: int, limit: int) -> Sequence[ApiEvent] | None:
        """Return at most `limit` events that followed; None if there never was such an id."""
        journal = self._past.journal
        if not 0 <= event_id <= journal.records:
            return None
        lines = journal.lines(event_id, min(journal.records, event_id + limit))
        return [event_of(event_id + index, line) for index, line in enumerate(lines, 1)]

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Never call `wake`: there will be no event."""
        return lambda: None

    def close(self) -> None:
        """Read no more."""
        self._past.journal.close()

    def _view(self, task: Task) -> TaskView:
        past = self._past.history.open.get(task.number)
        report = self._past.journal.report_of(task.number)
        phase = Phase.REQUESTED if past is None else past.phase
        attempt, place = (0, "") if past is None else (past.attempt, past.place)
        if report is not None:
            phase = report.phases[-1][0] if report.phases else phase
            attempt, place = len(report.attempts), report.environment
        runnable = task.runnable
        return TaskView(
            task.number,
            task.id,
            runnable.kind,
            runnable.uri,
            task.reference,
            task.suite,
            phase,
            attempt,
            place,
            None,
            report,
            runnable.variant_id,
            tags_to_json(runnable.tags),
            tuple([each.title for each in runnable.requirements]),
        )
