"""``nrunner jobs``: what earlier jobs left in the results folder.

Not responsible for the layout of that folder (``nrunner.layout``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say, say_error, say_json, table
from nrunner.cli.resume import resume
from nrunner.cli.settings import configuration, flags_of
from nrunner.errors import ExitCode, ResultsError
from nrunner.layout import JobFolder, find_job, list_jobs
from nrunner.results.text import first_line, visible

__all__ = ["jobs"]

_COUNTS = ("pass", "errors", "failures", "skip", "warn", "interrupt", "cancel")


@click.group()
def jobs() -> None:
    """Look at earlier jobs."""


@jobs.command("list")
@setting_flags("run.results_dir")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def list_(as_json: bool, **flags: Any) -> None:
    """List the jobs in the results folder, oldest first.

    One without results.json runs still, or was cut off: it is shown as incomplete.
    """
    found = list_jobs(_results_folder(flags))
    summaries = [_summary(job) for job in found]
    if as_json:
        say_json(summaries)
    else:
        table(_row(each) for each in summaries)


@jobs.command()
@click.argument("job", default="latest")
@setting_flags("run.results_dir")
@click.option("as_json", "--json", is_flag=True, help="Write JSON: all of results.json.")
def show(job: str, as_json: bool, **flags: Any) -> int:
    """Show JOB: "latest", a folder, or the beginning of an id.

    For a job that is incomplete the exit code is 2.
    """
    folder = find_job(_results_folder(flags), job)
    report = _report(folder)
    if as_json:
        say_json(_summary(folder) if report is None else report)
    else:
        _show(folder, report)
    if report is None:
        say_error(f"job {_id(folder)} is incomplete: it has no results.json")
        return ExitCode.JOB_FAILED
    return ExitCode.OK


def _results_folder(flags: Mapping[str, Any]) -> Path:
    return Path(configuration(flags_of(flags)).results_dir)


def _id(folder: JobFolder) -> str:
    try:
        return folder.job_id
    except OSError:
        return ""


def _summary(folder: JobFolder) -> dict[str, Any]:
    """Return what ``jobs list`` tells of a job."""
    summary: dict[str, Any] = {"job_id": _id(folder), "folder": str(folder.root)}
    try:
        report = _head(folder.report("results.json"))
    except (OSError, ValueError):
        return {**summary, "complete": False}
    keys = ("start", "time", "total", *_COUNTS, "exit_code", "interrupted")
    return {**summary, "complete": True, **{key: report.get(key) for key in keys}}


def _head(path: Path) -> dict[str, Any]:
    """Read a report without its tests, of which there may be very many."""
    lines: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith(' "tests": ['):
                return _mapping("".join(lines).rstrip().rstrip(",") + "}")
            lines.append(line)
    return _mapping("".join(lines))


def _report(folder: JobFolder) -> dict[str, Any] | None:
    path = folder.report("results.json")
    try:
        return _mapping(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ResultsError(f"read {path}: {error}") from error


def _mapping(text: str) -> dict[str, Any]:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    return data


def _row(summary: Mapping[str, Any]) -> tuple[str, ...]:
    name = Path(summary["folder"]).name
    if not summary["complete"]:
        return (summary["job_id"][:7], "-", visible(name), "incomplete")
    counts = " ".join(f"{key} {summary[key]}" for key in _COUNTS if summary[key])
    return (summary["job_id"][:7], _when(summary["start"]), visible(name), counts or "no tests")


def _when(start: Any) -> str:
    try:
        return f"{datetime.fromtimestamp(start):%Y-%m-%d %H:%M:%S}"
    except (TypeError, ValueError, OverflowError, OSError):
        return "-"


def _show(folder: JobFolder, report: Mapping[str, Any] | None) -> None:
    say(f"JOB ID     : {_id(folder)}")
    say(f"JOB FOLDER : {visible(str(folder.root))}")
    if report is None:
        return
    tests = report.get("tests", ())
    table((f"  {each.get('status')}", _told(each)) for each in tests)
    counts = " | ".join(f"{key.upper()} {report.get(key)}" for key in _COUNTS)
    say(f"RESULTS    : {counts}")
    say(f"JOB TIME   : {report.get('time', 0):.2f} s")


def _told(test: Mapping[str, Any]) -> str:
    reason = test.get("fail_reason")
    return visible(str(test.get("id"))) + (f": {first_line(str(reason))}" if reason else "")


jobs.add_command(resume)
