"""``nrunner run``: from a command line to a job and its exit code.

Not responsible for reading the command line (``nrunner.cli.form``, ``nrunner.cli.commands``), for
planning (``nrunner.planner``), nor for running (``nrunner.job``).
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nrunner.cli.familiar import ACCEPTED, parameter
from nrunner.cli.form import Form
from nrunner.cli.output import say_error
from nrunner.cli.request import make_request, plugged_resolve
from nrunner.cli.settings import flags_of, working_folder
from nrunner.config import Config
from nrunner.deferral import load_lightly, load_messages
from nrunner.errors import UsageError
from nrunner.launch import Launch
from nrunner.plan import JobPlan, ReportTarget
from nrunner.planner import make_plan
from nrunner.plugins import find_plugin
from nrunner.record import replace
from nrunner.requirement import FLAG

if TYPE_CHECKING:
    from nrunner.layout import JobFolder
    from nrunner.results.base import Listener

__all__ = ["FORM", "REPORTS", "UNWANTED", "asked_reports", "carry_out", "run_tests"]

REPORTS = {
    "json": "JSON",
    "xunit": "JUnit XML",
    "tap": "TAP",
    "ctrf": "CTRF",
    "html": "a page",
    "tmt": "YAML for tmt",
    "trace": "a trace for Perfetto",
}
"""Reports that have a flag of their own: what each is."""

UNWANTED = {
    f"--disable-{name}-job-result": name for name in ("json", "xunit", "tap", "html", "tmt")
}
"""Flags that leave a report out of the job's folder: which."""

FORM = Form(
    settings=(
        "run.max_parallel_tasks",
        "run.job_timeout",
        "run.task_timeout",
        "run.requirement_timeout",
        "run.task_slow",
        "run.task_silence",
        "run.grace",
        "run.leak",
        "run.fail_fast",
        "filter.by_tags",
        "filter.by_tags_include_empty",
        "filter.by_tags_include_empty_key",
        "run.ignore_missing_references",
        "run.dry_run",
        "run.shuffle",
        "run.seed",
        "run.env",
        "run.json_variants_load",
        "run.execution_order",
        "run.store_logging_stream",
        "run.results_dir",
        "run.job_category",
        "run.archive",
        "run.suite_runner",
        "results.xunit_job_name",
        "results.xunit_max_test_log_chars",
        "results.tap_include_logs",
        "output.show",
        "output.quiet",
        "run.spawner",
        "cache.offline",
        "resolver.static",
        "resolver.run_executables",
        "resolver.exec_runnables_recipe.arguments",
        "resolver.python_tests",
        "runner.python",
        "runner.isolation",
        "runner.executables",
        "runner.keep_tmp",
        "sysinfo.collect.enabled",
        "sysinfo.collect.per_test",
        "status.tcp",
        "status.serve",
        "podman.image",
        "podman.reuse",
        "podman.memory",
        "podman.cpus",
        "podman.pids",
        "podman.disk",
        "podman.network",
        "ssh.duts",
        "ssh.dut_tags",
        "ssh.inventory",
    ),
    texts={
        "--job": "job_file",
        "--force-job-id": "force_job_id",
        **{f"--{name}": name for name in REPORTS},
    },
    lists={FLAG: "job_dependency"},
    switches={
        "--detach": "detach",
        "--open-browser": "open_browser",
        **{flag: parameter(flag) for flag in (*UNWANTED, *ACCEPTED)},
    },
)
"""What can be said after ``nrunner run``."""


def run_tests(asked: Mapping[str, Any], command: Sequence[str]) -> int:
    """Run what the parameters of a command line ask for; return the exit code."""
    here = working_folder()
    request = make_request(
        asked["references"], asked["job_file"], flags_of(asked), asked["job_dependency"]
    )
    reports = asked_reports(asked, to_stdout=not asked["detach"])
    config = _without_reports(request.config, asked)
    _check_choices(config)
    job_id = _job_id(asked["force_job_id"], here / config.results_dir)
    planned = make_plan(
        request.suites,
        config,
        plugged_resolve(),
        base_dir=here,
        command=("nrunner", *command),
        reports=reports,
        job_id=job_id,
    )
    for notice in planned.notices:
        say_error(notice)
    if asked["detach"]:
        from nrunner.cli.detach import run_detached

        return run_detached(planned.plan, config)
    return _run(planned.plan, config, reports, asked)


def _without_reports(config: Config, asked: Mapping[str, Any]) -> Config:
    """Return a configuration without the reports that flags leave out."""
    unwanted = {name for flag, name in UNWANTED.items() if asked[parameter(flag)]}
    if not unwanted:
        return config
    return replace(config, results=tuple(each for each in config.results if each not in unwanted))


def _job_id(wanted: str | None, results_dir: Path) -> str:
    """Return the id that the job has to have, empty if any will do; raise UsageError."""
    if wanted is None:
        return ""
    if not re.fullmatch("[0-9a-f]{40}", wanted):
        raise UsageError(f"use the job id {wanted!r}: it has to be 40 digits of 0-9 and a-f")
    from nrunner.layout import id_of, list_jobs
    from nrunner.register import registered
    from nrunner.userfolder import results_folder

    # An id leads to one job, wherever its results are; those in the usual place have no entry.
    for job in (*list_jobs(results_dir), *list_jobs(results_folder()), *registered()):
        if id_of(job) == wanted:
            raise UsageError(f"use the job id {wanted}: {job.root} has it already")
    return wanted


def carry_out(
    plan: JobPlan,
    listen: Callable[[], Sequence[Listener]],
    serving: Callable[[JobFolder], None] | None = None,
) -> int:
    """Run a job; return its exit code.

    `listen` makes its listeners once the agent is on its way; `serving` is called when the job's
    control socket answers.
    """
    launch = Launch(plan)
    try:
        # Only now: what is loaded here takes as long as an agent takes to start.
        load_lightly("asyncio", "dataclasses")  # msgspec asks for these when it writes ours
        load_messages()
        from nrunner.job import run_job

        listeners = listen()
    except BaseException:
        launch.abandon()
        raise
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return run_job(plan, listeners, launch, serving)


def _run(
    plan: JobPlan, config: Config, reports: Sequence[ReportTarget], asked: Mapping[str, Any]
) -> int:
    with ExitStack() as stack:

        def listen() -> Sequence[Listener]:
            from nrunner.results.registry import listeners_for

            stream = _console_stream(reports, stack)
            listeners = listeners_for(stream, config.show, quiet=config.quiet)
            if asked["open_browser"]:
                from nrunner.cli.browser import Browser

                listeners.append(Browser(asked["html"]))
            return listeners

        return carry_out(plan, listen)


_STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""What standard output is called; the console goes elsewhere then."""


def asked_reports(
    asked: Mapping[str, str | None], *, to_stdout: bool = True
) -> tuple[ReportTarget, ...]:
    """Return the reports that flags ask for; raise UsageError if two want standard output.

    If not `to_stdout` there is none, and already one is too many.
    """
    wanted = ((name, asked.get(name)) for name in REPORTS)
    reports = tuple(
        ReportTarget(name, "-" if target in _STDOUT else target)
        for name, target in wanted
        if target is not None
    )
    count = [each.target for each in reports].count("-")
    if count > 1:
        raise UsageError("write more than one report to standard output: name a file")
    if count and not to_stdout:
        raise UsageError("write a report to standard output with --detach: name a file")
    return reports


def _check_choices(config: Config) -> None:
    """Refuse names of things that do not exist, before anything is looked for or run."""
    from nrunner.results.registry import check_show

    find_plugin("spawners", config.spawner)
    for name in config.results:
        find_plugin("results", name)
    check_show(config.show)


def _console_stream(reports: Sequence[ReportTarget], stack: ExitStack) -> IO[str]:
    """Standard output belongs to a report that was sent there."""
    stream = sys.stderr if any(each.target == "-" for each in reports) else sys.stdout
    if stream is None:  # it was closed before Python began
        return stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
    return stream
