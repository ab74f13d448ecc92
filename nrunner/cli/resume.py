"""``nrunner jobs resume``: going on with a job whose controller was killed.

Not responsible for how that is done (``nrunner.job``).
"""

from __future__ import annotations

import sys
from typing import Any

import click

from nrunner.cli.chosen import chosen_job, job_argument
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say
from nrunner.cli.settings import configuration, flags_of
from nrunner.cli.summary import code_of
from nrunner.config import Config
from nrunner.layout import JobFolder

__all__ = ["resume"]


@click.command()
@job_argument()
@setting_flags("run.results_dir", "output.show", "output.quiet")
def resume(job: str, **flags: Any) -> int:
    """Go on with JOB, whose controller is gone, and write its reports.

    JOB is "latest", a folder, or the beginning of an id. No test that has its verdict is run again,
    tests that still run are taken over, the others are run. The exit code is that of the whole job.
    """
    from nrunner.lock import JobState, state_of

    config = configuration(flags_of(flags))
    folder = chosen_job(job, flags)
    status = state_of(folder)
    if status.state is JobState.COMPLETE:
        say(f"JOB ID     : {folder.job_id}")
        say("COMPLETE   : there is nothing to go on with")
        return code_of(folder)
    return _go_on(folder, config)


def _go_on(folder: JobFolder, config: Config) -> int:
    from nrunner.job import resume_job
    from nrunner.results.registry import listeners_for
    from nrunner.resumption import Resumption

    resumption = Resumption(folder)
    to_stdout = any(each.target == "-" for each in resumption.plan.reports)
    stream = sys.stderr if to_stdout else sys.stdout
    return resume_job(resumption, listeners_for(stream, config.show, quiet=config.quiet))
