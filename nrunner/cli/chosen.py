"""Which job a command means: the argument JOB, what it leads to, and how a shell completes it.

Not responsible for what is done with the job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from nrunner.cli.settings import configuration, flags_of, working_folder
from nrunner.layout import JobFolder, find_job, id_of, list_jobs, outside, short_id
from nrunner.register import registered

__all__ = ["chosen_job", "complete_job", "every_job", "job_argument", "results_folder_of"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def results_folder_of(flags: Mapping[str, Any]) -> Path:
    """Return the results folder that holds with these flags."""
    return working_folder() / configuration(flags_of(flags)).results_dir


def every_job(base: Path) -> list[JobFolder]:
    """Return the jobs in a results folder, and those elsewhere that are not over."""
    return [*outside(base, registered()), *list_jobs(base)]


def chosen_job(name: str, flags: Mapping[str, Any]) -> JobFolder:
    """Return the job that a name stands for; raise JobNotFound."""
    return find_job(results_folder_of(flags), name, registered())


def complete_job(_context: Any, _parameter: Any, incomplete: str) -> list[str]:
    """Return the names of jobs that a word may become, for a shell."""
    try:
        jobs = every_job(results_folder_of({}))
    except Exception:  # a shell that completes a word is no place to complain
        return []
    names = ["latest", *(short_id(id_of(job)) for job in reversed(jobs))]
    return [name for name in names if name and name.startswith(incomplete)]


def job_argument(*, is_due: bool = False) -> Callable[[_Command], _Command]:
    """Return a decorator that adds the argument JOB to a command: the latest unless it `is_due`."""
    if is_due:
        return click.argument("job", shell_complete=complete_job)
    return click.argument("job", default="latest", shell_complete=complete_job)
