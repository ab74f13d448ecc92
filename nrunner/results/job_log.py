"""``job.log``: what the console says, with the time of day, whatever the console shows.

Each batch is in the file when it has been flushed, so that a crash leaves all but the last.
Not responsible for what tests write; that is in their own folders.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable
from datetime import datetime

from nrunner import __version__
from nrunner.layout import JobFolder
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.line import foot_lines, head_lines, notice_line, task_line
from nrunner.results.text import visible
from nrunner.task import Task

__all__ = ["JobLog"]

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class JobLog:
    """Appends lines to a job's log; a disk that is full costs lines, never the job."""

    def __init__(self, now: Callable[[], datetime] = datetime.now) -> None:
        self._now = now
        self._file = -1
        self._pending: list[TaskReport | str] = []
        self._total = 0

    def job_opened(self, job: JobReport) -> None:
        """Open the log of `job` and say which job it is."""
        self._total = job.total
        with contextlib.suppress(OSError, ValueError):
            self._file = os.open(JobFolder(job.folder).log, _FLAGS, 0o600)
        self._pending += [*head_lines(job), *_origin_lines(job)]
        self.flush()

    def task_started(self, task: Task, time: float) -> None:
        """Say nothing: the journal has it."""

    def task_settled(self, report: TaskReport) -> None:
        """Keep the task's line for the next flush."""
        self._pending.append(report)

    def notice(self, text: str) -> None:
        """Keep the notice for the next flush."""
        self._pending.append(notice_line(text))

    def flush(self) -> None:
        """Append all that was kept, in one piece."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        time = self._now().isoformat(sep=" ", timespec="milliseconds")
        lines = (
            each if isinstance(each, str) else task_line(each, self._total) for each in pending
        )
        self._append("".join(f"{time} {line}\n" for line in lines))

    def job_closed(self, job: JobReport) -> None:
        """Say how it went and close the log."""
        self._pending += foot_lines(job)
        self.flush()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _append(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        with contextlib.suppress(OSError):
            while data and self._file >= 0:
                data = data[os.write(self._file, data) :]


def _origin_lines(job: JobReport) -> list[str]:
    """Return what began the job, which whoever types it knows."""
    command = visible(shlex.join(job.command))
    return [f"COMMAND    : {command}", f"VERSION    : nrunner {__version__}"]
