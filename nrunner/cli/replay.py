"""``nrunner replay``: a new job that does again what another one did.

Not responsible for what that is (``nrunner.replay``), nor for running it (``nrunner.job``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from nrunner.cli.chosen import chosen_job, job_argument
from nrunner.cli.flags import setting_flags
from nrunner.cli.run import carry_out
from nrunner.cli.settings import configuration, flags_of
from nrunner.errors import ResultsError, UsageError
from nrunner.pastjob import PastJob
from nrunner.plan import JobPlan
from nrunner.replay import NOT_RUN, replayed
from nrunner.result import Result
from nrunner.results.base import Listener

__all__ = ["replay"]

_STATUSES = (*(each.value for each in Result), NOT_RUN)


@click.command()
@job_argument()
@click.option(
    "statuses",
    "--replay-test-status",
    metavar="STATUS,...",
    default="",
    help=f"Only tests that ended so: {', '.join(_STATUSES)}.",
)
@setting_flags("run.results_dir", "output.show", "output.quiet")
@click.pass_context
def replay(context: click.Context, /, job: str, statuses: str, **flags: Any) -> int:
    """Run a new job as JOB was: the same tests, settings and variables, in the same folder.

    JOB is "latest", a folder, or the beginning of an id. What its references led to then is run,
    whatever they lead to now.
    """
    wanted = _checked(statuses)
    config = configuration(flags_of(flags))
    past = PastJob(chosen_job(job, flags))
    history = past.history
    command = ("nrunner", *(context.find_root().obj or ()))
    plan = replayed(_planned(past), history.verdicts, history.id, command, wanted)

    def listen() -> Sequence[Listener]:
        from nrunner.results.registry import listeners_for

        to_stdout = any(each.target == "-" for each in plan.reports)
        stream = sys.stderr if to_stdout else sys.stdout
        return listeners_for(stream, config.show, quiet=config.quiet)

    return carry_out(plan, listen)


def _checked(statuses: str) -> tuple[str, ...]:
    words = tuple(each.strip().upper() for each in statuses.split(",") if each.strip())
    for word in words:
        if word not in _STATUSES:
            raise UsageError(f"replay tests that are {word!r}: choose from {', '.join(_STATUSES)}")
    return words


def _planned(past: PastJob) -> JobPlan:
    if not past.history.is_planned:
        raise ResultsError(
            f"replay {past.folder.root}: it was cut off before its plan was complete"
        )
    plan = past.history.plan(past.folder.root)
    if not plan.base_dir.is_dir():
        raise UsageError(f"replay {past.folder.root}: there is no folder {plan.base_dir} any more")
    return plan
