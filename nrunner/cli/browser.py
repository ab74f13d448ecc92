"""``--open-browser``: the page of a job, shown in the user's browser at the job's end.

Not responsible for the page (``nrunner.results.html``).
"""

from __future__ import annotations

from pathlib import Path

from nrunner.cli.output import say_error
from nrunner.results.base import JobReport, TaskReport
from nrunner.task import Task

__all__ = ["Browser"]


class Browser:
    """A listener that opens a page once the job is over."""

    def __init__(self, page: str | None = None) -> None:
        """Open `page`, or the one in the job's folder."""
        self._page = page

    def job_opened(self, job: JobReport) -> None:
        """Nothing to do."""

    def task_started(self, task: Task, time: float) -> None:
        """Nothing to do."""

    def task_settled(self, report: TaskReport) -> None:
        """Nothing to do."""

    def notice(self, text: str) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""

    def job_closed(self, job: JobReport) -> None:
        """Open the page if it is there."""
        import webbrowser

        page = Path(self._page) if self._page else job.folder / "results.html"
        if not page.is_file():
            say_error(f"could not open a browser: there is no page {page}")
        elif not webbrowser.open(page.resolve().as_uri()):
            say_error(f"could not open a browser: none was found (BROWSER names one); see {page}")
