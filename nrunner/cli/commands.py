"""The commands ``run`` and ``list`` as click knows them: their flags and their help.

Not responsible for what they do (``nrunner.cli.run``, ``nrunner.cli.listing``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from nrunner.cli.familiar import ACCEPTED, parameter
from nrunner.cli.flags import report_flags, setting_flags
from nrunner.cli.listing import FORM as LIST_FORM
from nrunner.cli.listing import list_tests as do_list
from nrunner.cli.run import FORM as RUN_FORM
from nrunner.cli.run import UNWANTED
from nrunner.cli.run import run_tests as do_run
from nrunner.requirement import FLAG as DEPENDENCY_FLAG

__all__ = ["list_tests", "run"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _unwanted_flags(command: _Command) -> _Command:
    """Add the flags that leave reports out, and those that Avocado's users may give."""
    for flag, name in reversed(UNWANTED.items()):
        told = f"Write no {name} report into the job's folder."
        command = click.option(parameter(flag), flag, is_flag=True, help=told)(command)
    for flag in ACCEPTED:
        command = click.option(parameter(flag), flag, is_flag=True, hidden=True)(command)
    return command


@click.command()
@click.argument("references", nargs=-1, type=click.Path())
@click.option("--job", "job_file", type=click.Path(), metavar="FILE", help="A job file to run.")
@click.option(
    DEPENDENCY_FLAG,
    metavar="JSON|FILE",
    multiple=True,
    help="Add a requirement to every test; may be repeated.",
)
@setting_flags(*RUN_FORM.settings)
@report_flags("Also write")
@_unwanted_flags
@click.option("--open-browser", is_flag=True, help="Show the page in a browser at the job's end.")
@click.option("--force-job-id", metavar="ID", help="The job's id: 40 hexadecimal digits.")
@click.option(
    "--detach", is_flag=True, help="Print the job's id and return; the job goes on by itself."
)
@click.pass_context
def run(context: click.Context, /, **asked: Any) -> int:
    """Run the tests that REFERENCES lead to.

    A reference is a file, a folder, a pattern, a recipe (*.json), or a test within a file
    (file.py:Class.test); - reads references from standard input, @FILE from a file.
    """
    return do_run(asked, context.find_root().obj or ())


@click.command("list")
@click.argument("references", nargs=-1, type=click.Path())
@click.option("--job", "job_file", type=click.Path(), metavar="FILE", help="A job file to list.")
@setting_flags(*LIST_FORM.settings)
@click.option(
    "--json", type=click.Path(), metavar="FILE", help="Also write JSON there; - is stdout."
)
@click.option(
    "verbose",
    *("-v", "--verbose"),
    is_flag=True,
    help="Show uris, resolvers, requirements, who declined and why, and counts, too.",
)
@click.option(
    "recipes_dir",
    "--write-recipes-to-directory",
    type=click.Path(),
    metavar="PATH",
    help="Write each test as a recipe into this folder.",
)
@click.pass_context
def list_tests(context: click.Context, /, **asked: Any) -> int:
    """List the tests that REFERENCES lead to: kind, name and tags, and with -v all else.

    Reasons why references were refused go to standard error; the exit code is then 2.
    """
    return do_list(asked, context.find_root().obj or ())
