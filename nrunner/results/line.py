"""The lines that tell people about a job: on the console, on a terminal, in its log.

One task is one line, whatever its name and reason hold. Not responsible for where lines go.
"""

from __future__ import annotations

from collections.abc import Mapping

from nrunner.layout import JobFolder
from nrunner.result import Result
from nrunner.results.base import JobReport, TaskReport
from nrunner.results.text import first_line, shortened, task_name, visible

__all__ = ["PLAIN", "foot_lines", "head_lines", "notice_line", "page_line", "task_line"]

PLAIN: Mapping[Result, str] = {result: result.value for result in Result}
"""How each result is written where there are no colours."""

_TALLY_ORDER = (
    Result.PASS,
    Result.ERROR,
    Result.FAIL,
    Result.SKIP,
    Result.WARN,
    Result.INTERRUPT,
    Result.CANCEL,
)


def head_lines(job: JobReport) -> list[str]:
    """Return what is said when a job opens."""
    log = visible(str(JobFolder(job.folder).log))
    return [f"JOB ID     : {visible(job.id)}", f"JOB LOG    : {log}"]


def task_line(report: TaskReport, total: int, words: Mapping[Result, str] = PLAIN) -> str:
    """Return what is said of a settled task."""
    number = f"{report.number:0{len(str(total))}d}"
    reason = f": {first_line(_reason(report))}" if report.detail else ""
    tries = f", {len(report.attempts)} attempts" if len(report.attempts) > 1 else ""
    name = shortened(task_name(report.id))
    word = words[report.result]
    return f" ({number}/{total}) {name}: {word}{reason} ({report.elapsed:.2f} s{tries})"


def _reason(report: TaskReport) -> str:
    doing = report.attempts[-1].doing if report.attempts else ""
    return f"{report.detail}; {doing}" if doing and "\n" not in report.detail else report.detail


def notice_line(text: str) -> str:
    """Return a notice as a line."""
    return f"NOTICE     : {shortened(text)}"


def page_line(link: str) -> str:
    """Return what is said of the page that shows the job while it runs."""
    return f"LIVE PAGE  : {link}"


def foot_lines(job: JobReport, words: Mapping[Result, str] = PLAIN) -> list[str]:
    """Return what is said when a job is over."""
    lines = [f"CUT SHORT  : {first_line(job.interrupted)}"] if job.interrupted else []
    counts = " | ".join(f"{words[each]} {job.tally.get(each, 0)}" for each in _TALLY_ORDER)
    return [*lines, f"RESULTS    : {counts}", f"JOB TIME   : {job.elapsed:.2f} s"]
