"""``results.xml``: JUnit XML as surefire writes it, which Jenkins, GitLab and others read.

Earlier attempts are its ``rerunFailure`` and ``flakyFailure`` elements. Characters that XML cannot
hold are written as escapes. Not responsible for other formats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from nrunner.result import Result
from nrunner.results.base import AttemptReport, JobReport, TaskReport
from nrunner.results.tail import output_end
from nrunner.results.text import case_name, first_line, referenced, visible

__all__ = ["XunitReport"]

_ELEMENTS = {Result.FAIL: "failure", Result.ERROR: "error", Result.INTERRUPT: "error"}
_SKIPPED = (Result.SKIP, Result.CANCEL)
_MOST_OF_AN_OUTPUT = 16 * 1024
_ALL_OF_AN_OUTPUT = 1 << 30
_MOST_OF_A_TEXT = 64 * 1024
_FORBIDDEN = re.compile(
    # Three sets, of which each is next to nothing for re to prepare; one of all takes it 5 ms.
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|[\ud800-\udfff]|[\ufffe\uffff]"
)
_ORDER = ("failure", "rerunFailure", "flakyFailure", "error", "rerunError", "flakyError")
"""In which surefire's schema has them."""


class XunitReport:
    """Writes ``results.xml``."""

    name = "xunit"
    description = "JUnit XML, for Jenkins, GitLab and others"
    file_name = "results.xml"

    def write(self, job: JobReport, tasks: Iterable[TaskReport], stream: IO[str]) -> None:
        """Write the report; `tasks` are read once and none is kept."""
        for piece in _document(job, tasks):
            stream.write(referenced(piece, stream))


def _document(job: JobReport, tasks: Iterable[TaskReport]) -> Iterator[str]:
    counts = dict.fromkeys(("failure", "error"), 0)
    for result, element in _ELEMENTS.items():
        counts[element] += job.tally.get(result, 0)
    skipped = sum(job.tally.get(each, 0) for each in _SKIPPED)
    totals = (
        f'tests="{job.total}" failures="{counts["failure"]}" errors="{counts["error"]}" '
        f'time="{_seconds(job.elapsed)}"'
    )
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="nrunner" {totals}>\n'
    name = job.options.get("results.xunit_job_name") or job.folder.name
    yield f'<testsuite name="{_attribute(name)}" {totals} skipped="{skipped}">\n'
    yield f"<properties>\n{''.join(_properties(job))}</properties>\n"
    most = job.options.get("results.xunit_max_test_log_chars", _MOST_OF_AN_OUTPUT)
    for task in tasks:
        yield _case(task, job.folder, most or _ALL_OF_AN_OUTPUT)
    yield "</testsuite>\n</testsuites>\n"


def _properties(job: JobReport) -> Iterator[str]:
    begun = datetime.fromtimestamp(job.time_start, UTC).isoformat(timespec="milliseconds")
    pairs = {
        "job": job.id,
        "folder": str(job.folder),
        "command": " ".join(job.command),
        "begun": begun,
        "exit_code": str(int(job.exit_code)),
        "interrupted": job.interrupted,
    }
    for name, value in pairs.items():
        if value:
            yield f'<property name="{name}" value="{_attribute(value)}"/>\n'


def _case(task: TaskReport, folder: Path, most: int) -> str:
    class_name, name = _names(task)
    parts = [
        f'<testcase name="{_attribute(name)}" classname="{_attribute(class_name)}" '
        f'time="{_seconds(task.elapsed)}"'
    ]
    children = [*_verdicts(task), *_outputs(task, folder, most)]
    if not children:
        return parts[0] + "/>\n"
    return f"{parts[0]}>\n{''.join(children)}</testcase>\n"


def _names(task: TaskReport) -> tuple[str, str]:
    """Return class and name, so that readers who know packages and classes find their way."""
    whole = case_name(task.id, task.variant)
    path, colon, rest = whole.partition(":")
    if not colon or not path.endswith(".py"):
        class_name, name = task.kind, whole
    else:
        head, _, name = rest.rpartition(".")
        module = path.removesuffix(".py").strip("/").replace("/", ".")
        class_name = f"{module}.{head}" if head else module
    variant = f";{task.variant}" if task.variant else ""
    return (f"{task.suite}.{class_name}" if task.suite else class_name), name + variant


def _verdicts(task: TaskReport) -> list[str]:
    """Return the verdict, and what came of earlier attempts, in the order of the schema."""
    if task.result in _SKIPPED:
        return [f'<skipped message="{_attribute(first_line(task.detail))}"/>\n']
    again = "flaky" if task.result.is_ok else "rerun"
    found = [] if task.result.is_ok else [(_ELEMENTS[task.result], _verdict(task))]
    for attempt in task.attempts[:-1]:
        element = _ELEMENTS.get(attempt.result)
        if element is not None:
            name = f"{again}{element.capitalize()}"
            found.append((name, _earlier(name, attempt)))
    return [text for _, text in sorted(found, key=lambda each: _ORDER.index(each[0]))]


def _verdict(task: TaskReport) -> str:
    element = _ELEMENTS[task.result]
    text = "\n".join(filter(None, (_cut(task.detail), task.traceback and _cut(task.traceback))))
    sort = _attribute(task.fail_class or task.cause.value)
    message = _attribute(first_line(task.detail))
    return f'<{element} type="{sort}" message="{message}">{_text(text)}</{element}>\n'


def _earlier(element: str, attempt: AttemptReport) -> str:
    message = _attribute(first_line(attempt.detail))
    head = f'<{element} type="{attempt.cause.value}" message="{message}">'
    return f"{head}<stackTrace>{_text(_cut(attempt.detail))}</stackTrace></{element}>\n"


def _outputs(task: TaskReport, folder: Path, most: int) -> Iterator[str]:
    """Yield the last lines of what a task that is not fine wrote."""
    if task.result.is_ok:
        return
    for name, element in (("stdout", "system-out"), ("stderr", "system-err")):
        path = task.outputs.get(name)
        text = output_end(folder / path, most)[0] if path else ""
        if text:
            yield f"<{element}>{_text(text)}</{element}>\n"


def _cut(text: str) -> str:
    if len(text) <= _MOST_OF_A_TEXT:
        return text
    half = _MOST_OF_A_TEXT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def _seconds(seconds: float) -> str:
    return f"{seconds if math.isfinite(seconds) else 0.0:.3f}"


def _text(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _FORBIDDEN.sub(lambda match: visible(match[0]), escaped)


def _attribute(text: str) -> str:
    return visible(_text(text).replace('"', "&quot;"))
