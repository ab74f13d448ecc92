"""CTRF, the Common Test Report Format: one JSON object in words that many tools share.

Not responsible for ``results.json``, whose names are Avocado's and say more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import IO, Any

from nrunner import __version__
from nrunner.result import Result
from nrunner.results.base import AttemptReport, JobReport, TaskReport
from nrunner.results.jsontext import JsonText
from nrunner.results.tail import output_end
from nrunner.results.text import shortened, task_name

__all__ = ["CtrfReport"]

_STATUS = {
    Result.PASS: "passed",
    Result.WARN: "passed",
    Result.FAIL: "failed",
    Result.ERROR: "failed",
    Result.INTERRUPT: "failed",
    Result.SKIP: "skipped",
    Result.CANCEL: "other",
}
_MOST_OF_AN_OUTPUT = 8 * 1024
_MOST_OF_A_TEXT = 64 * 1024


class CtrfReport:
    """Writes a report in CTRF."""

    name = "ctrf"
    description = "Common Test Report Format, JSON"
    file_name = "results.ctrf.json"

    def write(self, job: JobReport, tasks: Iterable[TaskReport], stream: IO[str]) -> None:
        """Write the report; `tasks` are read once and none is kept."""
        dump = JsonText(stream)
        tool = dump.text({"name": "nrunner", "version": __version__})
        stream.write(
            '{"reportFormat":"CTRF","specVersion":"0.0.0","generatedBy":"nrunner",'
            f'"results":{{"tool":{tool},"summary":{dump.text(_summary(job))},"tests":['
        )
        separator = "\n"
        for task in tasks:
            stream.write(separator + dump.text(_test(task, job)))
            separator = ",\n"
        extra = {"job": job.id, "folder": str(job.folder), "command": job.command}
        stream.write(f'\n],"extra":{dump.text(extra)}}}}}\n')


def _summary(job: JobReport) -> dict[str, Any]:
    counts = dict.fromkeys(("passed", "failed", "skipped", "pending", "other"), 0)
    for result, count in job.tally.items():
        counts[_STATUS[result]] += count
    counts["pending"] = max(0, job.total - sum(job.tally.values()))
    start = _milliseconds(job.time_start)
    elapsed = _milliseconds(job.elapsed)
    times = {"start": start, "stop": start + elapsed, "duration": elapsed}
    return {"tests": job.total, **counts, **times}


def _test(task: TaskReport, job: JobReport) -> dict[str, Any]:
    name = shortened(task_name(task.id), 1000)
    fields: dict[str, Any] = {
        "name": name or f"task {task.number}",
        "status": _STATUS[task.result],
        "duration": _milliseconds(task.elapsed),
        "start": _milliseconds(task.time_start),
        "stop": _milliseconds(task.time_end),
        "rawStatus": task.result.value,
        "type": task.kind,
        "extra": {"cause": task.cause.value, "environment": task.environment},
    }
    given = {
        "suite": [task.suite] if task.suite else None,
        "message": task.detail[:_MOST_OF_A_TEXT],
        "trace": (task.traceback or "")[:_MOST_OF_A_TEXT],
        "tags": [tag for tag, values in task.tags.items() if not values],
        "labels": {tag: list(values) for tag, values in task.tags.items() if values},
        "retries": len(task.attempts) - 1 if len(task.attempts) > 1 else 0,
        "retryAttempts": [_attempt(each) for each in task.attempts[:-1]],
        "flaky": task.result.is_ok and any(not each.result.is_ok for each in task.attempts),
        **({} if task.result.is_ok else _outputs(task, job)),
    }
    return {**fields, **{key: value for key, value in given.items() if value}}


def _attempt(attempt: AttemptReport) -> dict[str, Any]:
    return {
        "attempt": attempt.number,
        "status": _STATUS[attempt.result],
        "duration": _milliseconds(attempt.elapsed),
        "message": attempt.detail[:_MOST_OF_A_TEXT],
        "extra": {"cause": attempt.cause.value, "environment": attempt.environment},
    }


def _outputs(task: TaskReport, job: JobReport) -> dict[str, list[str]]:
    lines = {}
    for name in ("stdout", "stderr"):
        path = task.outputs.get(name)
        if path:
            lines[name] = output_end(job.folder / path, _MOST_OF_AN_OUTPUT)[0].splitlines()
    return lines


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000) if math.isfinite(seconds) else 0
