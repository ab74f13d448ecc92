"""The console where output is not a terminal: plain lines, each written once.

Not responsible for the words (``nrunner.results.line``), nor for terminals
(``nrunner.results.terminal``).
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import IO

from nrunner.results.base import JobReport, TaskReport
from nrunner.results.line import foot_lines, head_lines, notice_line, page_line, task_line
from nrunner.results.outlet import Outlet
from nrunner.results.tail import output_tail
from nrunner.task import Task

__all__ = ["Console"]


class Console:
    """Writes lines to a stream that is not a terminal, one write for each batch."""

    def __init__(self, stream: IO[str], show: Collection[str] = ("app",)) -> None:
        self._outlet = Outlet(stream)
        self._is_quiet = not show
        self._with_tails = "test" in show
        self._pending: list[TaskReport | str] = []
        self._total = 0
        self._folder = Path()

    def job_opened(self, job: JobReport) -> None:
        """Say which job this is and where its log is."""
        self._total = job.total
        self._folder = job.folder
        self._say(*head_lines(job))
        self.flush()

    def task_started(self, task: Task, time: float) -> None:
        """Say nothing: a task is one line, and that comes at its end."""

    def task_settled(self, report: TaskReport) -> None:
        """Keep the task's line for the next flush."""
        self._say(report)

    def notice(self, text: str) -> None:
        """Keep the notice for the next flush."""
        self._say(notice_line(text))

    def tell(self, lines: list[str]) -> None:
        """Answer a question."""
        self._pending += lines
        self.flush()

    def page_served(self, link: str) -> None:
        """Say where the job's page is, even if nothing else is said: it was asked for."""
        self._pending.append(page_line(link))
        self.flush()

    def flush(self) -> None:
        """Write all that was kept, in one piece."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        lines: list[str] = []
        for each in pending:
            if isinstance(each, str):
                lines.append(each)
                continue
            lines.append(task_line(each, self._total))
            if self._with_tails:
                lines += output_tail(each, self._folder)
        lines.append("")
        self._outlet.write("\n".join(lines))

    def job_closed(self, job: JobReport) -> None:
        """Say how it went."""
        self._say(*foot_lines(job))
        self.flush()

    def _say(self, *things: TaskReport | str) -> None:
        if not self._is_quiet and self._outlet.is_open:
            self._pending += things
