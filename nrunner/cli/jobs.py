"""``nrunner jobs`` as click knows it: its subcommands, loaded when used.

Not responsible for what they do.
"""

from __future__ import annotations

import click

from nrunner.cli.group import LazyGroup

__all__ = ["COMMANDS", "jobs"]

COMMANDS = {
    "list": ("nrunner.cli.job_overview:list_", "List the jobs that run, and those that did."),
    "show": ("nrunner.cli.job_overview:show", "Show what is known of a job."),
    "attach": ("nrunner.cli.job_control:attach", "Show a job as its own console does."),
    "wait": ("nrunner.cli.job_control:wait", "Wait until a job is over."),
    "cancel": ("nrunner.cli.job_control:cancel", "End a job, or one of its tasks."),
    "serve": ("nrunner.cli.serve:serve", "Show jobs on a page in the browser."),
    "resume": ("nrunner.cli.resume:resume", "Go on with a job whose controller is gone."),
}
"""Each command: where it is, and what it does."""


@click.command(cls=LazyGroup, lazy=COMMANDS)
def jobs() -> None:
    """Look at jobs, come back to them, end them, go on with them."""
