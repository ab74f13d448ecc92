"""``nrunner report``: any report of a job, made again from its journal.

Not responsible for formats (``nrunner.results``).
"""

from __future__ import annotations

from typing import Any

import click

from nrunner.cli.chosen import chosen_job, job_argument
from nrunner.cli.flags import report_flags, setting_flags
from nrunner.cli.output import say, say_error
from nrunner.cli.run import asked_reports
from nrunner.errors import ExitCode
from nrunner.lock import JobState, state_of
from nrunner.pastjob import PastJob
from nrunner.reportfile import write_reports
from nrunner.results.text import visible

__all__ = ["report"]


@click.command()
@job_argument()
@setting_flags("run.results_dir")
@report_flags("Write")
def report(job: str, **flags: Any) -> int:
    """Write reports of JOB from its journal: "latest", a folder, or the beginning of an id.

    Without a format, the reports in the job's folder are written anew. A job that is not at its end
    is reported as far as it got. The exit code is 0 if all is written, whatever the tests came to.
    """
    folder = chosen_job(job, flags)
    wanted = asked_reports(flags)
    past = PastJob(folder)
    state = state_of(folder).state
    if not past.history.is_complete:
        done, total = len(past.history.verdicts), past.history.total
        say_error(f"job {past.history.id} is {state.value}: {done} of {total} tasks have a verdict")
    if not wanted and state is JobState.RUNNING:
        say_error("its own reports are written at its end: tell where others are wanted")
        return ExitCode.USAGE
    own = () if wanted else past.writers
    problems = [*write_reports(own, wanted, folder, past.report(), past.journal)]
    for problem in problems:
        say_error(problem)
    if not wanted and not problems:
        say(f"JOB FOLDER : {visible(str(folder.root))}")
    return ExitCode.JOB_FAILED if problems else ExitCode.OK
