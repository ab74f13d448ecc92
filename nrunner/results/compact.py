"""The console for machines, language models and the patient: silent if all is well, else dense.

Nothing is said before the job's end; then each reason is told once, with the last lines of one
test that gave it and the names of the others. Not responsible for the words of other consoles
(``nrunner.results.line``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from nrunner.record import dataclass, field
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.line import page_line
from nrunner.results.outlet import Outlet
from nrunner.results.tail import output_tail
from nrunner.results.text import first_line, shortened, task_name
from nrunner.task import Task

__all__ = ["Compact"]

_MOST_GROUPS = 20
_MOST_NAMES = 20
_LINES = 10
_MOST_NOTICES = 20
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|[0-9]+(?:\.[0-9]+)?")


@dataclass(slots=True)
class _Group:
    """Tests that ended badly for the same reason."""

    first: TaskReport
    names: list[str] = field(default_factory=list)
    count: int = 1


class Compact:
    """Writes to a stream at the end of a job, if there is anything to say."""

    def __init__(self, stream: IO[str]) -> None:
        self._outlet = Outlet(stream)
        self._groups: dict[tuple[str, str, str], _Group] = {}
        self._rest = 0
        """Failures that have a group of their own, which is one too many."""
        self._notices: list[str] = []

    def job_opened(self, job: JobReport) -> None:
        """Say nothing yet."""

    def task_started(self, task: Task, time: float) -> None:
        """Say nothing yet."""

    def task_settled(self, report: TaskReport) -> None:
        """Keep what is needed to tell of a failure."""
        if report.result.is_ok:
            return
        key = (
            report.result.value,
            report.cause.value,
            _VARYING.sub("#", first_line(report.detail)),
        )
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) < _MOST_GROUPS:
                self._groups[key] = _Group(report)
            else:
                self._rest += 1
            return
        group.count += 1
        if len(group.names) < _MOST_NAMES:
            group.names.append(shortened(task_name(report.id), 200))

    def notice(self, text: str) -> None:
        """Keep it: it may say why the job failed."""
        if len(self._notices) < _MOST_NOTICES:
            self._notices.append(shortened(text))

    def tell(self, lines: list[str]) -> None:
        """Answer a question at once."""
        self._outlet.write("".join(f"{line}\n" for line in lines))

    def page_served(self, link: str) -> None:
        """Say where the job's page is: it was asked for."""
        self._outlet.write(page_line(link) + "\n")

    def flush(self) -> None:
        """Write nothing: what there is to say is said at the end."""

    def job_closed(self, job: JobReport) -> None:
        """Say what failed, and why; nothing if nothing did."""
        if not job.exit_code:
            return
        lines: list[str] = []
        for group in self._groups.values():
            lines += _told(group, job.folder)
        if self._rest:
            lines.append(f"and {self._rest} more failures, each for another reason")
        lines += [f"notice: {each}" for each in self._notices]
        self._outlet.write("\n".join([*lines, *_foot(job), ""]))


def _told(group: _Group, folder: Path) -> list[str]:
    report = group.first
    doing = report.attempts[-1].doing if report.attempts else ""
    reason = first_line(report.detail) + (f"; {doing}" if doing else "")
    name = shortened(task_name(report.id))
    lines = [
        f"{report.result.value} {name}: {reason} ({report.cause.value}, {report.elapsed:.2f} s)"
    ]
    traceback = (report.traceback or "").rstrip().splitlines()
    lines += [f"  {shortened(line)}" for line in traceback[-_LINES:]]
    if not traceback:
        lines += [f"  {line.strip()}" for line in output_tail(report, folder)[-_LINES:]]
    if group.count > 1:
        more = group.count - 1 - len(group.names)
        names = ", ".join(group.names) + (f" and {more} more" if more else "")
        lines.append(f"  same: {names}")
    return lines


def _foot(job: JobReport) -> list[str]:
    cut = [f"cut short: {first_line(job.interrupted)}"] if job.interrupted else []
    counts = ", ".join(f"{count} {each.value}" for each, count in job.tally.items() if count)
    return [*cut, f"{counts or 'nothing'} of {job.total}, {job.elapsed:.1f} s, {job.folder}"]
