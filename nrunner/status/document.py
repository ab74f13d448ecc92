"""The JSON that the control API answers with.

Pure; described for others by ``openapi``. Not responsible for ``results.json``, whose names are
Avocado's.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from nrunner.results.base import AttemptReport, JobReport, TaskReport
from nrunner.status.view import ApiEvent, TaskView

__all__ = ["event_text", "job_document", "task_document", "to_text"]


def to_text(document: Any) -> str:
    """Return a document as JSON text; what is no JSON type is written as its text."""
    try:
        return msgspec.json.encode(document, enc_hook=str).decode("utf-8")
    except (msgspec.MsgspecError, UnicodeError, OverflowError, TypeError, ValueError):
        return _in_ascii(document)  # a name that is no valid text, or a huge number


def _in_ascii(document: Any) -> str:
    return json.dumps(document, default=str, separators=(",", ":"))


def event_text(event: ApiEvent) -> str:
    """Return an event in the form of server-sent events."""
    return f"id: {event.id}\nevent: {event.kind}\ndata: {_in_ascii(event.data)}\n\n"


def job_document(job: JobReport, newest: int) -> dict[str, Any]:
    """Return the job as the API shows it; `newest` is the id of its newest event."""
    settled = sum(job.tally.values())
    return {
        "id": job.id,
        "folder": str(job.folder),
        "command": list(job.command),
        "total": job.total,
        "remaining": max(0, job.total - settled),
        "time_start": job.time_start,
        "elapsed": job.elapsed,
        "results": {result.value: count for result, count in job.tally.items()},
        "causes": {cause.value: count for cause, count in job.causes.items()},
        "exit_code": int(job.exit_code),
        "interrupted": job.interrupted,
        "facts": dict(job.facts),
        "events": newest,
    }


def task_document(task: TaskView) -> dict[str, Any]:
    """Return a task as the API shows it; `verdict` is null until it is settled."""
    return {
        "number": task.number,
        "id": task.id,
        "kind": task.kind,
        "uri": task.uri,
        "reference": task.reference,
        "suite": task.suite,
        "phase": task.phase.value,
        "attempt": task.attempt,
        "environment": task.environment,
        "running": task.running,
        "variant": task.variant,
        "tags": dict(task.tags),
        "requirements": list(task.requirements),
        "verdict": None if task.report is None else _verdict(task.report),
    }


def _verdict(report: TaskReport) -> dict[str, Any]:
    return {
        "result": report.result.value,
        "cause": report.cause.value,
        "detail": report.detail,
        "time_start": report.time_start,
        "time_end": report.time_end,
        "elapsed": report.elapsed,
        "returncode": report.returncode,
        "class_name": report.class_name,
        "fail_class": report.fail_class,
        "traceback": report.traceback,
        "whiteboard": report.whiteboard,
        "log_dir": report.log_dir,
        "outputs": dict(report.outputs),
        "attempts": [_attempt(attempt) for attempt in report.attempts],
        "phases": [[phase.value, second] for phase, second in report.phases],
    }


def _attempt(attempt: AttemptReport) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "environment": attempt.environment,
        "result": attempt.result.value,
        "cause": attempt.cause.value,
        "detail": attempt.detail,
        "time_start": attempt.time_start,
        "time_end": attempt.time_end,
        "elapsed": attempt.elapsed,
        "returncode": attempt.returncode,
        "core": attempt.core,
        "layer": attempt.layer,
        "doing": attempt.doing,
        "leaks": [dict(each) for each in attempt.leaks],
        "unkillable": [dict(each) for each in attempt.unkillable],
    }
