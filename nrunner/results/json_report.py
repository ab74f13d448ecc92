r"""``results.json``: the names that Avocado's users parse, and ours beside them.

Written task by task, one line each, so that its cost in memory does not grow with the job. Lone
surrogates, which JSON's readers refuse, are written as ``\udcff``. The fields are described in
docs/results.md and nrunner/schemas/results.json. Not responsible for other formats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import IO, Any

from nrunner.layout import JobFolder
from nrunner.phase import Phase
from nrunner.result import Cause, Result
from nrunner.results.base import AttemptReport, JobReport, TaskReport
from nrunner.results.jsontext import JsonText
from nrunner.results.text import case_name

__all__ = ["JsonReport"]

_FORMAT = 1
_LOGS = ("debug.log", "stdout", "stderr")
"""What a test's log is, the best first: not every test sends log messages."""
_COUNTED_AS = {
    "pass": Result.PASS,
    "failures": Result.FAIL,
    "errors": Result.ERROR,
    "skip": Result.SKIP,
    "warn": Result.WARN,
    "interrupt": Result.INTERRUPT,
    "cancel": Result.CANCEL,
}


class JsonReport:
    """Writes ``results.json``."""

    name = "json"
    description = "one JSON object for the job, with one line for each test"
    file_name = "results.json"

    def write(self, job: JobReport, tasks: Iterable[TaskReport], stream: IO[str]) -> None:
        """Write the report; `tasks` are read once and none is kept."""
        dump = JsonText(stream)
        fields = ",\n".join(
            f" {dump.text(key)}: {dump.text(value)}" for key, value in _job_fields(job).items()
        )
        stream.write("{\n" + fields + ',\n "tests": [')
        folder = str(job.folder)
        separator = "\n  "
        for task in tasks:
            stream.write(separator + dump.text(_task_fields(task, folder)))
            separator = ",\n  "
        stream.write("\n ]\n}\n")


def _job_fields(job: JobReport) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "job_id": job.id,
        "debuglog": str(JobFolder(job.folder).log),
        "command": job.command,
        "total": job.total,
        **{key: job.tally.get(result, 0) for key, result in _COUNTED_AS.items()},
        "causes": {cause.value: job.causes.get(cause, 0) for cause in Cause},
        "start": job.time_start,
        "time": job.elapsed,
        "exit_code": int(job.exit_code),
        "interrupted": job.interrupted or None,
        "loop_lag_max": job.loop_lag_max,
        "facts": job.facts,
    }


def _task_fields(task: TaskReport, folder: str) -> dict[str, Any]:
    log_dir = task.log_dir
    log = next(filter(None, map(task.outputs.get, _LOGS)), None)
    start = _started(task)
    elapsed = _finite(task.elapsed)
    return {
        "id": task.id,
        "name": case_name(task.id, task.variant),
        "status": task.result.value,
        "fail_reason": task.detail or None,
        "logdir": None if log_dir is None else f"{folder}/{log_dir}",
        "logfile": None if log is None else f"{folder}/{log}",
        "whiteboard": task.whiteboard,
        "tags": task.tags,
        "time_start": start,
        "time_end": start + elapsed,
        "time_elapsed": elapsed,
        "actual_time_start": task.time_start,
        "actual_time_end": task.time_end,
        "number": task.number,
        "reference": task.reference,
        "kind": task.kind,
        "uri": task.uri,
        "variant": task.variant,
        "suite": task.suite,
        "cause": task.cause.value,
        "detail": task.detail,
        "attempts": [_attempt_fields(each) for each in task.attempts],
        "phases": _phase_fields(task.phases),
        "environment": task.environment,
        "returncode": task.returncode,
        "class_name": task.class_name,
        "fail_class": task.fail_class,
        "traceback": task.traceback,
        "outputs": task.outputs,
        "requirements": task.requirements,
    }


def _started(task: TaskReport) -> float:
    """When its last attempt started, else when it was settled; seconds since the job began."""
    for phase, time in reversed(task.phases):
        if phase is Phase.STARTED:
            return time
    return task.phases[-1][1] if task.phases else 0.0


def _finite(seconds: float) -> float:
    """JSON has no word for what a broken clock may say."""
    return seconds if math.isfinite(seconds) else 0.0


def _attempt_fields(attempt: AttemptReport) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "environment": attempt.environment,
        "status": attempt.result.value,
        "cause": attempt.cause.value,
        "detail": attempt.detail,
        "actual_time_start": attempt.time_start,
        "actual_time_end": attempt.time_end,
        "time_elapsed": _finite(attempt.elapsed),
        "returncode": attempt.returncode,
        "core": attempt.core,
        "layer": attempt.layer,
        "leaks": attempt.leaks,
        "unkillable": attempt.unkillable,
        "doing": attempt.doing,
    }


def _phase_fields(phases: tuple[tuple[Phase, float], ...]) -> list[dict[str, Any]]:
    """Each phase, when it was entered and how long it lasted; the last one lasts no time."""
    ends = [time for _, time in phases[1:]]
    ends += [phases[-1][1]] if phases else []
    return [
        {"phase": phase.value, "time": time, "duration": round(end - time, 9)}
        for (phase, time), end in zip(phases, ends, strict=True)
    ]
