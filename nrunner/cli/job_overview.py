"""``nrunner jobs list`` and ``show``: the jobs that run, and those that did.

Not responsible for what is known of a job (``nrunner.cli.summary``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import click

from nrunner.cli.chosen import chosen_job, every_job, job_argument, results_folder_of
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say, say_error, say_json, table
from nrunner.cli.summary import COUNTS, Summary, figures_of, report_of, summary_of, told_state
from nrunner.errors import ExitCode
from nrunner.layout import id_of, list_jobs
from nrunner.lock import JobState
from nrunner.progress import SettledTask, progress_of
from nrunner.results.text import first_line, visible

__all__ = ["list_", "show"]


@click.command("list")
@setting_flags("run.results_dir")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def list_(as_json: bool, **flags: Any) -> None:
    """List the jobs in the results folder, oldest first.

    Before them come jobs elsewhere that are not over, unless a folder is given. A job is running,
    complete, interrupted (its controller died; the command that goes on is shown) or borked (its
    controller lives but cannot be talked to).
    """
    base = results_folder_of(flags)
    found = list_jobs(base) if flags["results_dir"] else every_job(base)
    summaries = map(summary_of, found)
    if as_json:
        say_json([each.to_json() for each in summaries])
    else:
        table(_row(each, is_here=each.folder.root.parent == base) for each in summaries)


@click.command()
@job_argument()
@setting_flags("run.results_dir")
@click.option("as_json", "--json", is_flag=True, help="Write JSON: all of results.json.")
def show(job: str, as_json: bool, **flags: Any) -> int:
    """Show JOB: "latest", a folder, or the beginning of an id.

    Of a job that is not complete this is what was settled so far. The exit code is 2 for one that
    was interrupted or is borked.
    """
    folder = chosen_job(job, flags)
    summary = summary_of(folder)
    if summary.state is JobState.COMPLETE and folder.report("results.json").exists():
        _show_report(summary, as_json=as_json)
        return ExitCode.OK
    _show_progress(summary, as_json=as_json)
    if summary.state in (JobState.RUNNING, JobState.COMPLETE):
        return ExitCode.OK
    say_error(f"job {id_of(folder)} is {told_state(summary.status)}")
    return ExitCode.JOB_FAILED


def _row(summary: Summary, *, is_here: bool) -> tuple[str, ...]:
    root = summary.folder.root
    return (
        id_of(summary.folder)[:7],
        _when(summary.figures.get("start")),
        visible(root.name if is_here else str(root)),
        summary.state.value,
        _told_counts(summary),
    )


def _told_counts(summary: Summary) -> str:
    if summary.state is JobState.COMPLETE:
        return summary.counts or ("no tests" if summary.figures else "no figures")
    status, total = summary.status, summary.figures.get("total")
    told = "" if total is None else f"{summary.settled} of {total}"
    if told and summary.counts:
        told += f": {summary.counts}"
    if summary.state is JobState.BORKED:
        told = "; ".join(filter(None, (told, status.reason)))
    return "; ".join(filter(None, (told, status.hint)))


def _when(start: Any) -> str:
    try:
        return f"{datetime.fromtimestamp(start):%Y-%m-%d %H:%M:%S}"
    except (TypeError, ValueError, OverflowError, OSError):
        return "-"


def _show_report(summary: Summary, *, as_json: bool) -> None:
    report = report_of(summary.folder) or {}
    if as_json:
        say_json(report)
        return
    tests = report.get("tests", ())
    _show(
        summary,
        ((str(each.get("status")), each.get("id"), each.get("fail_reason")) for each in tests),
        report,
    )
    say(f"JOB TIME   : {report.get('time', 0):.2f} s")


def _show_progress(summary: Summary, *, as_json: bool) -> None:
    settled: tuple[SettledTask, ...] = ()
    figures: Mapping[str, Any] = summary.figures
    if figures:
        progress = progress_of(summary.folder.journal)
        settled, figures = progress.settled, figures_of(progress)
    if as_json:
        tests = [_to_json(each) for each in settled]
        say_json({**summary.to_json(), **figures, "settled": len(settled), "tests": tests})
        return
    _show(summary, ((each.result.value, each.id, each.detail) for each in settled), figures)


def _to_json(task: SettledTask) -> dict[str, Any]:
    return {
        "number": task.number,
        "id": task.id,
        "status": task.result.value,
        "fail_reason": task.detail or None,
    }


def _show(
    summary: Summary, tests: Iterable[tuple[str, Any, Any]], figures: Mapping[str, Any]
) -> None:
    say(f"JOB ID     : {id_of(summary.folder)}")
    say(f"JOB FOLDER : {visible(str(summary.folder.root))}")
    say(f"JOB STATE  : {summary.state.value}")
    table((f"  {status}", _told(name, reason)) for status, name, reason in tests)
    if figures:
        if summary.state is not JobState.COMPLETE:
            done = sum(figures[key] for key in COUNTS)
            say(f"SETTLED    : {done} of {figures['total']}")
        say(f"RESULTS    : {' | '.join(f'{key.upper()} {figures.get(key)}' for key in COUNTS)}")


def _told(name: Any, reason: Any) -> str:
    return visible(str(name)) + (f": {first_line(str(reason))}" if reason else "")
