"""``nrunner run``: from a command line to a job and its exit code.

Not responsible for planning (``nrunner.planner``), nor for running (``nrunner.job``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Any

import click

from nrunner.cli.output import say_error
from nrunner.cli.request import make_request, plugged_resolve
from nrunner.cli.settings import flags_of, setting_flags, working_folder
from nrunner.config import Config
from nrunner.errors import UsageError
from nrunner.launch import Launch
from nrunner.plan import ReportTarget
from nrunner.planner import make_plan
from nrunner.plugins import find_plugin

__all__ = ["run"]


@click.command()
@click.argument("references", nargs=-1, type=click.Path())
@click.option("--job", "job_file", type=click.Path(), metavar="FILE", help="A job file to run.")
@setting_flags(
    "run.max_parallel_tasks",
    "run.job_timeout",
    "run.task_timeout",
    "run.fail_fast",
    "filter.by_tags",
    "filter.by_tags_include_empty",
    "filter.by_tags_include_empty_key",
    "run.ignore_missing_references",
    "run.dry_run",
    "run.shuffle",
    "run.seed",
    "run.env",
    "run.results_dir",
    "output.show",
    "run.spawner",
    "resolver.static",
    "runner.python",
    "runner.isolation",
    "status.tcp",
)
@click.option(
    "--json", type=click.Path(), metavar="FILE", help="Also write JSON there; - is stdout."
)
@click.option("--tap", type=click.Path(), metavar="FILE", help="Also write TAP there; - is stdout.")
@click.pass_context
def run(
    context: click.Context,
    /,
    references: tuple[str, ...],
    job_file: str | None,
    json: str | None,
    tap: str | None,
    **flags: Any,
) -> int:
    """Run the tests that REFERENCES lead to.

    A reference is a file, a folder, a pattern, a recipe (*.json), or a test within a file
    (file.py:Class.test); - reads references from standard input, @FILE from a file.
    """
    here = working_folder()
    request = make_request(references, job_file, flags_of(flags))
    reports = _reports(json, tap)
    _check_choices(request.config)
    planned = make_plan(
        request.suites,
        request.config,
        plugged_resolve(),
        base_dir=here,
        command=("nrunner", *(context.find_root().obj or ())),
        reports=reports,
    )
    for notice in planned.notices:
        say_error(notice)
    launch = Launch(planned.plan)
    try:
        # Only now: what is loaded here takes as long as an agent takes to start.
        from nrunner.job import run_job
        from nrunner.results.registry import make_console

        stream = _console_stream(context, reports)
        console = make_console(stream, show=request.config.show, quiet=False)
    except BaseException:
        launch.abandon()
        raise
    return run_job(planned.plan, [console], launch)


def _reports(json: str | None, tap: str | None) -> tuple[ReportTarget, ...]:
    asked = (("json", json), ("tap", tap))
    reports = tuple(ReportTarget(name, target) for name, target in asked if target is not None)
    if [each.target for each in reports].count("-") > 1:
        raise UsageError("write more than one report to standard output: name a file")
    return reports


def _check_choices(config: Config) -> None:
    """Refuse names of things that do not exist, before anything is looked for or run."""
    from nrunner.results.registry import check_show

    find_plugin("spawners", config.spawner)
    for name in config.results:
        find_plugin("results", name)
    check_show(config.show)


def _console_stream(context: click.Context, reports: tuple[ReportTarget, ...]) -> IO[str]:
    """Standard output belongs to a report that was sent there."""
    stream = sys.stderr if any(each.target == "-" for each in reports) else sys.stdout
    if stream is None:  # it was closed before Python began
        return context.with_resource(Path(os.devnull).open("w", encoding="utf-8"))
    return stream
