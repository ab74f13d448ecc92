"""The console on a terminal: colours, and a live footer with what runs now.

Lines of settled tasks scroll by above the footer, which is wiped and drawn again at most ten
times a second, never for each event. The cursor is not hidden and no mode of the terminal is
changed, so that even a killed job leaves it usable. Not responsible for the words
(``nrunner.results.line``), nor for what the footer looks like (``nrunner.results.footer``).
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Collection
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nrunner.offload import offload
from nrunner.result import Result
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.line import foot_lines, head_lines, notice_line, page_line, task_line
from nrunner.results.outlet import Outlet
from nrunner.results.tail import output_tail
from nrunner.task import Task

if TYPE_CHECKING:
    from nrunner.results.footer import Footer

__all__ = ["Terminal"]

_PERIOD = 0.1
"""Seconds between two drawings at least."""
_IDLE_PERIOD = 1.0
"""Seconds between two drawings when nothing happens but the passing of time."""
_FOOTER_AFTER = 0.3
"""Seconds a job lasts before a footer is worth its cost."""
_SLOW = 30.0
"""Seconds after which a task is marked that has no `slow` limit of its own."""
_FEW = 10
"""Tasks: of a job with less, all that is said is still in sight at its end."""
_MOST_FAILURES = 20
_COLOURS = {
    Result.PASS: "32",
    Result.FAIL: "1;31",
    Result.ERROR: "1;35",
    Result.SKIP: "33",
    Result.WARN: "33",
    Result.INTERRUPT: "1;31",
    Result.CANCEL: "33",
}
_WORDS = {result: f"\x1b[{code}m{result.value}\x1b[0m" for result, code in _COLOURS.items()}


class Terminal:
    """Writes coloured lines, and keeps a footer below them while `animate` runs."""

    def __init__(
        self,
        stream: IO[str],
        show: Collection[str] = ("app",),
        *,
        clock: Callable[[], float] = time.monotonic,
        make_footer: Callable[[IO[str]], Footer] | None = None,
    ) -> None:
        self._stream = stream
        self._outlet = Outlet(stream)
        self._clock = clock
        self._make_footer = make_footer
        self._footer: Footer | None = None
        self._hidden: Footer | None = None
        self._height = 0
        self._with_tails = "test" in show
        self._folder = Path()
        self._total = 0
        self._counts = dict.fromkeys(Result, 0)
        self._running: dict[int, tuple[Task, float]] = {}
        self._pending: list[TaskReport | str] = []
        self._failed: list[TaskReport] = []
        self._opened = clock()
        self._drawn = float("-inf")
        self._is_stale = False

    def job_opened(self, job: JobReport) -> None:
        """Say which job this is."""
        self._total = job.total
        self._folder = job.folder
        self._opened = self._clock() - job.elapsed
        self._counts.update(job.tally)
        self._pending += head_lines(job)
        self._draw()

    def task_started(self, task: Task, time: float) -> None:
        """Show the task in the footer from the next drawing on."""
        # A new attempt is the youngest again.
        self._running.pop(task.number, None)
        self._running[task.number] = (task, time)
        self._is_stale = True

    def task_settled(self, report: TaskReport) -> None:
        """Keep the task's line for the next drawing."""
        self._running.pop(report.number, None)
        self._counts[report.result] += 1
        if not report.result.is_ok and len(self._failed) < _MOST_FAILURES:
            self._failed.append(report)
        self._say(report)

    def notice(self, text: str) -> None:
        """Keep the notice for the next drawing."""
        self._say(notice_line(text))

    def tell(self, lines: list[str]) -> None:
        """Answer a question."""
        self._pending += lines
        self._draw()

    def page_served(self, link: str) -> None:
        """Say where the job's page is."""
        self._say(page_line(link))
        self._draw()

    def flush(self) -> None:
        """Draw, unless that was done a moment ago: then the next call will, or `animate`."""
        since = self._clock() - self._drawn
        if since >= (_PERIOD if self._is_stale else _IDLE_PERIOD):
            self._draw()

    def job_closed(self, job: JobReport) -> None:
        """Say how it went, with no footer any more."""
        self._footer = None
        self._say(*self._failures(job), *foot_lines(job, _WORDS))
        self._draw()

    def _failures(self, job: JobReport) -> list[str]:
        """Return what failed, once more and with the last it wrote, if it has scrolled away."""
        failed = sum(count for result, count in job.tally.items() if not result.is_ok)
        if not failed or job.total < _FEW:
            return []
        lines = [f"FAILED     : {failed} of {job.total}"]
        for each in self._failed:
            lines += self._lines_of(each, with_tail=True)
        more = failed - len(self._failed)
        return [*lines, f" and {more} more"] if more > 0 else lines

    async def animate(self) -> None:
        """Keep a footer, and keep it fresh, until cancelled; then take it away."""
        try:
            await asyncio.sleep(_FOOTER_AFTER)
            self._footer = await offload(self._load_footer)
            while self._outlet.is_open:
                self.flush()
                await asyncio.sleep(_PERIOD)
        finally:
            self.restore()

    def restore(self) -> None:
        """Take the footer away for good; what comes later are lines alone."""
        self._footer = self._hidden = None
        self._draw()

    def suspend(self) -> None:
        """Take the footer away for as long as somebody else has the terminal."""
        self._hidden, self._footer = self._footer, None
        self._draw()

    def resume(self) -> None:
        """Have the footer again."""
        self._footer = self._footer or self._hidden

    def _load_footer(self) -> Footer:
        if self._make_footer is not None:
            return self._make_footer(self._stream)
        footer: Footer = importlib.import_module("nrunner.results.footer").Footer(self._stream)
        return footer

    def _say(self, *things: TaskReport | str) -> None:
        self._is_stale = True
        if self._outlet.is_open:
            self._pending += things

    def _draw(self) -> None:
        """Wipe the footer, write what is pending, draw the footer: in one write."""
        self._drawn = self._clock()
        self._is_stale = False
        wipe = f"\r\x1b[{self._height}A\x1b[J" if self._height else ""
        pending, self._pending = self._pending, []
        lines = "".join(f"{line}\n" for each in pending for line in self._lines_of(each))
        footer = self._footer_text() if self._outlet.is_open else ""
        self._height = footer.count("\n")
        self._outlet.write(wipe + lines + footer)

    def _lines_of(self, each: TaskReport | str, *, with_tail: bool = False) -> list[str]:
        if isinstance(each, str):
            return [each]
        tail = output_tail(each, self._folder) if self._with_tails or with_tail else []
        return [task_line(each, self._total, _WORDS), *tail]

    def _footer_text(self) -> str:
        if self._footer is None:
            return ""
        from nrunner.results.footer import Row  # loaded by now

        rows = [
            Row(task.id, self._drawn - since, self._drawn - since >= _slow_after(task))
            for task, since in islice(self._running.values(), self._footer.rows)
        ]
        more = len(self._running) - len(rows)
        elapsed = self._drawn - self._opened
        return self._footer.text(self._counts, self._total, elapsed, rows, more)


def _slow_after(task: Task) -> float:
    return _SLOW if task.limits.slow is None else task.limits.slow
