"""What ``nrunner jobs`` tells of a job: its state, its counts, and what can be done.

A job that is complete has results.json; one that runs is asked, and of any other its journal
tells. Not responsible for finding jobs, nor for how a summary is shown (``nrunner.cli.jobs``).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import ExitCode, NrunnerError, ResultsError
from nrunner.layout import JobFolder, id_of
from nrunner.lock import JobState, JobStatus, Stage, state_of
from nrunner.progress import Progress, exit_code_of, progress_of
from nrunner.record import dataclass, field
from nrunner.result import Result

__all__ = ["COUNTS", "Summary", "code_of", "figures_of", "report_of", "summary_of", "told_state"]

COUNTS: Mapping[str, Result] = {
    "pass": Result.PASS,
    "errors": Result.ERROR,
    "failures": Result.FAIL,
    "skip": Result.SKIP,
    "warn": Result.WARN,
    "interrupt": Result.INTERRUPT,
    "cancel": Result.CANCEL,
}
"""The counts as results.json names them, in the order in which they are shown."""

_ANSWER_WITHIN = 5.0


@dataclass(frozen=True)
class Summary:
    """One job in a line."""

    folder: JobFolder
    status: JobStatus
    figures: Mapping[str, Any] = field(default_factory=dict)
    """``start``, ``total`` and the counts, as far as they are known, and more for complete jobs."""

    @property
    def state(self) -> JobState:
        """What has become of the job."""
        return self.status.state

    @property
    def counts(self) -> str:
        """The counts that are not 0, in words."""
        return " ".join(f"{key} {self.figures[key]}" for key in COUNTS if self.figures.get(key))

    @property
    def settled(self) -> int | None:
        """How many tasks have a verdict, None if that is not known."""
        known = [self.figures.get(key) for key in COUNTS]
        return None if None in known else sum(map(int, filter(None, known)))

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "job_id": id_of(self.folder),
            "folder": str(self.folder.root),
            "state": self.state.value,
            "complete": self.state is JobState.COMPLETE,
            "reason": self.status.reason or None,
            "hint": self.status.hint or None,
            "settled": self.settled,
            **self.figures,
        }


def summary_of(folder: JobFolder) -> Summary:
    """Look at a job."""
    status = state_of(folder)
    if status.state is JobState.COMPLETE:
        with contextlib.suppress(OSError, ValueError):
            return Summary(folder, status, _figures_of_report(folder))
    elif status.state is JobState.RUNNING and _serves(status):
        with contextlib.suppress(NrunnerError):
            return Summary(folder, status, _figures_of_answer(folder))
    with contextlib.suppress(NrunnerError):
        return Summary(folder, status, figures_of(progress_of(folder.journal)))
    return Summary(folder, status)


def told_state(status: JobStatus) -> str:
    """Return in words the state of a job that needs help, and what helps."""
    hint = f" (what helps: {status.hint})" if status.hint else ""
    return f"{status.state.value}: {status.reason}{hint}"


def figures_of(progress: Progress) -> dict[str, Any]:
    """Return the figures of a job of which its journal tells."""
    tally = progress.tally
    counts = {key: tally[result] for key, result in COUNTS.items()}
    return {"start": progress.start, "total": progress.total, **counts}


def report_of(folder: JobFolder) -> dict[str, Any] | None:
    """Return all of results.json, None if there is none; raise ResultsError if it is damaged."""
    path = folder.report("results.json")
    try:
        return _mapping(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ResultsError(f"read {path}: {error}") from error


def code_of(folder: JobFolder) -> int:
    """Return the exit code of a job that is complete; raise ResultsError."""
    code = exit_code_of(folder.journal)
    if code is not None:
        return code
    report = report_of(folder) or {}
    return int(report.get("exit_code", ExitCode.JOB_FAILED))


def _serves(status: JobStatus) -> bool:
    return status.holder is not None and status.holder.stage is Stage.SERVING


def _figures_of_report(folder: JobFolder) -> dict[str, Any]:
    report = _head(folder.report("results.json"))
    keys = ("start", "time", "total", *COUNTS, "exit_code", "interrupted")
    return {key: report.get(key) for key in keys}


def _figures_of_answer(folder: JobFolder) -> dict[str, Any]:
    from nrunner.control import ask

    job = ask(folder.control_socket or Path(), "/job", within=_ANSWER_WITHIN)
    counts = {key: job["results"].get(result.value, 0) for key, result in COUNTS.items()}
    return {"start": job["time_start"], "total": job["total"], **counts}


def _head(path: Path) -> dict[str, Any]:
    """Read a report without its tests, of which there may be very many."""
    lines: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith(' "tests": ['):
                return _mapping("".join(lines).rstrip().rstrip(",") + "}")
            lines.append(line)
    return _mapping("".join(lines))


def _mapping(text: str) -> dict[str, Any]:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    return data
