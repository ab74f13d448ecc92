"""``results.html``: one page that holds the job, to be opened from disk or out of an e-mail.

Data stand in it as JSON that no browser runs; the page's own script shows them as text. How much
text of tests is in it is bounded, and so is the page. Not responsible for how it looks
(``nrunner.results.page``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import IO, Any

from nrunner.phase import Phase
from nrunner.result import Cause, Result
from nrunner.results.base import AttemptReport, JobReport, TaskReport
from nrunner.results.jsontext import JsonText
from nrunner.results.page import load_page
from nrunner.results.tail import output_end
from nrunner.results.text import escaped, first_line, referenced, shortened, task_name

__all__ = ["HtmlReport"]

_TASKS_AT_ONCE = 250
_MOST_OF_A_TEXT = 64 * 1024
_MOST_OF_AN_OUTPUT = 8 * 1024
_TEXT_OF_ALL = 8 * 1024 * 1024
"""Characters of reasons, tracebacks and outputs; after that each has but a few."""
_SCARCE = 500
_MOST_WITHOUT_SCRIPT = 100
_RARE = ("core", "doing", "layer", "leaks", "unkillable")
_RESULTS = {result: result.value for result in Result}
_CAUSES = {cause: cause.value for cause in Cause}
_PHASES = {phase: number for number, phase in enumerate(Phase)}


class HtmlReport:
    """Writes ``results.html``."""

    name = "html"
    description = "one page for people: what failed and why, all tasks, a timeline"
    file_name = "results.html"

    def write(self, job: JobReport, tasks: Iterable[TaskReport], stream: IO[str]) -> None:
        """Write the page; `tasks` are read once, and only a few failures are kept."""
        page = load_page()
        writer = _Writer(job, stream)
        stream.write(referenced(page.head(_title(job), connects=False), stream))
        writer.add("job", _job_fields(job))
        source = iter(tasks)
        while batch := list(islice(source, _TASKS_AT_ONCE)):
            writer.add("tasks", [writer.task(each) for each in batch])
        stream.write(writer.plain())
        stream.write(page.foot())


def _title(job: JobReport) -> str:
    bad = sum(count for result, count in job.tally.items() if not result.is_ok)
    verdict = f"{bad} of {job.total} failed" if bad else f"{job.total} tasks"
    return shortened(f"{verdict} - {job.folder.name}", 100)


class _Writer:
    """Writes the data of one job into its page."""

    def __init__(self, job: JobReport, stream: IO[str]) -> None:
        self._job = job
        self._stream = stream
        self._json = JsonText(stream)
        self._left = _TEXT_OF_ALL
        self._failed: list[str] = []
        self._failures = 0

    def add(self, name: str, data: Any) -> None:
        """Write data where the page's script finds them."""
        # Nothing in a string can end the element or begin another.
        text = self._json.text(data).replace("<", "\\u003c")
        self._stream.write(f'<script type="application/json" data-of="{name}">{text}</script>\n')

    def task(self, task: TaskReport) -> dict[str, Any]:
        """Return what the page knows of a task; what goes without saying is left out."""
        name = task_name(task.id)
        # Most tasks pass at once and have little to tell: nothing is looked at twice for those.
        fields: dict[str, Any] = {
            "n": task.number,
            "id": name,
            "ref": task.reference,
            "kind": task.kind,
            "result": _RESULTS[task.result],
            "cause": _CAUSES[task.cause],
            "phases": [part for phase, time in task.phases for part in (_PHASES[phase], time)],
            "start": self._second(task.time_start),
            "elapsed": _rounded(task.elapsed),
            "env": task.environment,
            "rc": task.returncode,
            "attempts": [self._attempt(each, task) for each in task.attempts],
        }
        if task.uri != name:
            fields["uri"] = task.uri
        if task.suite or task.variant or task.tags:
            fields.update(suite=task.suite, variant=task.variant, tags=task.tags)
        if task.log_dir or task.outputs:
            fields["dir"] = task.log_dir
            fields["out"] = _outputs(task)
        if task.class_name or task.whiteboard or task.requirements:
            fields["cls"] = task.class_name
            fields["wb"] = self._text(task.whiteboard)
            fields["req"] = task.requirements
        if task.detail or not task.result.is_ok:
            fields["detail"] = self._text(task.detail)
            fields["fail"] = task.fail_class
            fields["tb"] = self._text(task.traceback or "")
        if not task.result.is_ok:
            self._note_failure(task)
            fields["tail"] = self._tails(task)
        return fields

    def _attempt(self, attempt: AttemptReport, task: TaskReport) -> dict[str, Any]:
        begun = attempt.time_start
        fields: dict[str, Any] = {"end": self._second(attempt.time_end)}
        if begun is not None:
            fields["start"] = self._second(begun)
        is_last = attempt is task.attempts[-1]
        if not is_last or attempt.result is not task.result or attempt.cause is not task.cause:
            fields["result"] = _RESULTS[attempt.result]
            fields["cause"] = _CAUSES[attempt.cause]
        if not is_last or attempt.environment != task.environment:
            fields["env"] = attempt.environment
        if not is_last or attempt.elapsed != task.elapsed:
            fields["elapsed"] = _rounded(attempt.elapsed)
        if not is_last or attempt.returncode != task.returncode:
            fields["rc"] = attempt.returncode
        if attempt.detail != task.detail:
            fields["detail"] = self._text(attempt.detail)
        for key in _RARE:
            value = getattr(attempt, key)
            if value:
                fields[key] = value
        return fields

    def _tails(self, task: TaskReport) -> dict[str, Any]:
        """Return the last lines of what a failed task wrote, and whether that is all."""
        tails = {}
        for name in ("stdout", "stderr"):
            path = task.outputs.get(name)
            if path:
                size = _MOST_OF_AN_OUTPUT if self._left > 0 else _SCARCE
                text, is_whole = output_end(Path(self._job.folder, path), size)
                self._left -= len(text)
                if text:
                    tails[name] = [text, is_whole]
        return tails

    def _text(self, text: str) -> str:
        most = _MOST_OF_A_TEXT if self._left > 0 else _SCARCE
        if len(text) > most:
            left_out = len(text) - most
            half = most // 2
            text = f"{text[:half]}\n... {left_out} characters left out ...\n{text[-half:]}"
        self._left -= len(text)
        return text

    def _second(self, time: float) -> float:
        return _rounded(time - self._job.time_start)

    def _note_failure(self, task: TaskReport) -> None:
        self._failures += 1
        if len(self._failed) < _MOST_WITHOUT_SCRIPT:
            name = shortened(task_name(task.id), 200)
            reason = first_line(task.detail)
            self._failed.append(f"<li>{escaped(f'{name}: {task.result.value}: {reason}')}</li>\n")

    def plain(self) -> str:
        """Return what is shown where no script runs: the counts, and what failed."""
        counts = ", ".join(f"{count} {each.value}" for each, count in self._job.tally.items())
        more = self._failures - len(self._failed)
        rest = f"<p>and {more} more</p>\n" if more else ""
        text = (
            f"<noscript>\n<h1>{escaped(_title(self._job))}</h1>\n<p>{escaped(counts)}</p>\n"
            f"<ul>\n{''.join(self._failed)}</ul>\n{rest}"
            "<p>Scripts are off: this is all that can be shown. results.json has the rest.</p>\n"
            "</noscript>\n"
        )
        return referenced(text, self._stream)


def _job_fields(job: JobReport) -> dict[str, Any]:
    return {
        "id": job.id,
        "folder": str(job.folder),
        "command": job.command,
        "total": job.total,
        "start": job.time_start,
        "elapsed": _rounded(job.elapsed),
        "results": {result.value: count for result, count in job.tally.items()},
        "causes": {cause.value: count for cause, count in job.causes.items()},
        "exit_code": int(job.exit_code),
        "interrupted": job.interrupted,
        "lag": job.loop_lag_max,
        "facts": job.facts,
        "phases": [phase.value for phase in Phase],
    }


def _outputs(task: TaskReport) -> Any:
    """Return the names of a task's files, with their paths only if these are out of the way."""
    prefix = f"{task.log_dir}/"
    if all(path == prefix + name for name, path in task.outputs.items()):
        return list(task.outputs)
    return task.outputs


def _rounded(seconds: float) -> float:
    return round(seconds, 4) if math.isfinite(seconds) else 0.0
