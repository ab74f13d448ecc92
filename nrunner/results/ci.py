"""What continuous integration shows of failures: annotations of GitHub, sections of GitLab.

Written behind what the console says at the job's end. Not responsible for JUnit XML, which both
can read, too (``nrunner.results.xunit``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from nrunner.results.base import JobReport, TaskReport
from nrunner.results.outlet import Outlet
from nrunner.results.tail import output_tail
from nrunner.results.text import first_line, shortened, task_name, visible
from nrunner.task import Task

__all__ = ["CiNotes", "ci_notes"]

_MOST = 50
_PLACE = re.compile(r'File "([^"\n]+)", line ([0-9]+)')

Notes = Callable[[TaskReport, Path], Iterator[str]]


def ci_notes(stream: IO[str], environ: Mapping[str, str]) -> CiNotes | None:
    """Return what tells the system that runs us of failures; None if there is none."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return CiNotes(stream, _annotation)
    if environ.get("GITLAB_CI") == "true":
        return CiNotes(stream, _section)
    return None


class CiNotes:
    """Keeps the first failures of a job, and writes of them at its end."""

    def __init__(self, stream: IO[str], notes: Notes) -> None:
        self._outlet = Outlet(stream)
        self._notes = notes
        self._failed: list[TaskReport] = []

    def job_opened(self, job: JobReport) -> None:
        """Nothing to do."""

    def task_started(self, task: Task, time: float) -> None:
        """Nothing to do."""

    def task_settled(self, report: TaskReport) -> None:
        """Keep it if it failed."""
        if not report.result.is_ok and len(self._failed) < _MOST:
            self._failed.append(report)

    def notice(self, text: str) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""

    def job_closed(self, job: JobReport) -> None:
        """Write of all that failed."""
        lines = [line for each in self._failed for line in self._notes(each, job.folder)]
        self._outlet.write("".join(f"{line}\n" for line in lines))


def _annotation(report: TaskReport, folder: Path) -> Iterator[str]:
    """Yield GitHub's command that marks a line of a file, as far as that is known."""
    name = shortened(task_name(report.id), 200)
    file, line = _place(report)
    title = _property(f"{report.result.value} {name}")
    where = f"file={_property(file)}," if file else ""
    where += f"line={line}," if line else ""
    text = report.detail.strip()[:2000] or report.result.value
    yield f"::error {where}title={title}::{_message(text)}"


def _place(report: TaskReport) -> tuple[str, int]:
    """Return file and line where a test failed; empty and 0 if they are not known."""
    path = (report.uri or "").partition(":")[0]
    if not path or PurePosixPath(path).is_absolute():
        return "", 0
    for found, line in reversed(_PLACE.findall(report.traceback or "")):
        if found == path or found.endswith(f"/{path}"):
            return path, int(line)
    return path, 0


def _message(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return visible(escaped)


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _section(report: TaskReport, folder: Path) -> Iterator[str]:
    """Yield a section of GitLab's log, folded, with the last lines that a test wrote."""
    time = int(report.time_end)
    key = f"nrunner_task_{report.number}"
    head = f"{report.result.value} {shortened(task_name(report.id), 200)}"
    reason = first_line(report.detail)
    start = f"\x1b[0Ksection_start:{time}:{key}[collapsed=true]\r\x1b[0K"
    yield f"{start}{head}: {reason}"
    yield from (visible(line) for line in report.detail.strip()[:2000].splitlines()[1:])
    yield from (visible(line) for line in (report.traceback or "")[-4000:].splitlines())
    yield from output_tail(report, folder)
    yield f"\x1b[0Ksection_end:{time}:{key}\r\x1b[0K"
