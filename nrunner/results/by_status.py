"""``test-results/by-status``: links to the folders of tasks, by how they ended.

A task that passed and wrote nothing has no folder, and no link either; one that is not fine gets
both. Not responsible for what is in the folders.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from nrunner.layout import JobFolder, task_folder_name
from nrunner.results.base import JobReport, TaskReport
from nrunner.task import Task

__all__ = ["BY_STATUS", "ByStatus"]

BY_STATUS = "by-status"


class ByStatus:
    """Links what is settled, batch by batch; a disk that is full costs links, never the job."""

    def __init__(self) -> None:
        self._folder = ""
        self._made: set[str] = set()
        self._pending: list[TaskReport] = []

    def job_opened(self, job: JobReport) -> None:
        """Take note of where links go."""
        self._folder = str(JobFolder(job.folder).test_results)

    def task_started(self, task: Task, time: float) -> None:
        """Nothing to do."""

    def task_settled(self, report: TaskReport) -> None:
        """Keep what is to be linked for the next flush."""
        if report.log_dir is not None or not report.result.is_ok:
            self._pending.append(report)

    def notice(self, text: str) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Link all that was kept."""
        pending, self._pending = self._pending, []
        for report in pending:
            with contextlib.suppress(OSError):
                self._link(report)

    def job_closed(self, job: JobReport) -> None:
        """Link the rest."""
        self.flush()

    def _link(self, report: TaskReport) -> None:
        status = report.result.value
        if status not in self._made:
            # One by one: those above the last would get the modes that the umask gives them.
            Path(self._folder, BY_STATUS).mkdir(0o700, exist_ok=True)
            Path(self._folder, BY_STATUS, status).mkdir(0o700, exist_ok=True)
            self._made.add(status)
        if report.log_dir is None:
            name = task_folder_name(report.number, report.id)
            Path(self._folder, name).mkdir(0o700, exist_ok=True)
        else:
            name = report.log_dir.split("/")[1]
        # Without paths, which take longer to make than the link.
        link = f"{self._folder}/{BY_STATUS}/{status}/{name}"
        os.symlink(f"../../{name}", link)  # noqa: PTH211
