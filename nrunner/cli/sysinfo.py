"""``nrunner sysinfo``: a survey of this system, apart from any job.

Not responsible for what is in it (``nrunner.sysinfo``).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from nrunner.cli.output import say
from nrunner.cli.settings import configuration, working_folder
from nrunner.errors import ExitCode, ResultsError
from nrunner.sysinfo import Survey, lists_of

__all__ = ["sysinfo"]


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def sysinfo(folder: Path | None) -> int:
    """Collect what is worth knowing of this system in FOLDER.

    Without FOLDER it is one called sysinfo- and the time. Which commands and files are collected is
    configured (nrunner config shows sysinfo.*).
    """
    here = working_folder()
    target = here / (folder or f"sysinfo-{datetime.now():%Y-%m-%d-%H.%M.%S}")
    problem = Survey(target / "pre", lists_of(configuration(), here)).wait()
    if problem:
        raise ResultsError(f"collect system information: {problem}")
    say(f"Logged system information to {target}")
    return ExitCode.OK
