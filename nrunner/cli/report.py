"""``nrunner report``: any report of a job, or of several as one, made again from journals.

Not responsible for formats (``nrunner.results``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from nrunner.cli.chosen import chosen_job, complete_job
from nrunner.cli.flags import report_flags, setting_flags
from nrunner.cli.output import say, say_error
from nrunner.cli.run import asked_reports
from nrunner.errors import ExitCode, UsageError
from nrunner.lock import JobState, state_of
from nrunner.merger import Merger
from nrunner.pastjob import PastJob
from nrunner.plan import ReportTarget
from nrunner.reportfile import write_reports
from nrunner.results.text import visible

__all__ = ["report"]


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_job)
@setting_flags("run.results_dir")
@report_flags("Write")
def report(jobs: tuple[str, ...], **flags: Any) -> int:
    """Write reports of JOB from its journal: "latest", a folder, or the beginning of an id.

    Without a format, the reports in the job's folder are written anew. Several jobs are reported as
    one, where the flags say. A job that is not at its end is reported as far as it got. The exit
    code is 0 if all is written, whatever the tests came to.
    """
    folders = [chosen_job(name, flags) for name in jobs or ("latest",)]
    wanted = asked_reports(flags)
    pasts = [PastJob(folder) for folder in folders]
    for past in pasts:
        _tell_state(past)
    if len(pasts) > 1:
        return _written_as_one(pasts, wanted)
    [past] = pasts
    if not wanted and state_of(past.folder).state is JobState.RUNNING:
        say_error("its own reports are written at its end: tell where others are wanted")
        return ExitCode.USAGE
    own = () if wanted else past.writers
    code = _told(write_reports(own, wanted, past.folder, past.report(), past.journal))
    if not wanted and code == ExitCode.OK:
        say(f"JOB FOLDER : {visible(str(past.folder.root))}")
    return code


def _tell_state(past: PastJob) -> None:
    history = past.history
    if not history.is_complete:
        state = state_of(past.folder).state.value
        done, total = len(history.verdicts), history.total
        say_error(f"job {history.id} is {state}: {done} of {total} tasks have a verdict")


def _written_as_one(pasts: Sequence[PastJob], wanted: Sequence[ReportTarget]) -> int:
    if not wanted:
        raise UsageError("report several jobs as one: tell which report, such as --html FILE")
    merger = Merger(pasts)
    return _told(write_reports((), wanted, pasts[0].folder, merger.report(), merger))


def _told(problems: Iterable[str]) -> int:
    code = ExitCode.OK
    for problem in problems:
        say_error(problem)
        code = ExitCode.JOB_FAILED
    return code
