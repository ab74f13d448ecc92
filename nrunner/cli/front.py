"""What nrunner says of itself, without what it takes to read a command line: help and version.

Importing click takes longer than all else that ``nrunner --help`` needs. The help is the one that
click makes, as a test says; a narrow terminal gets it from click. Not responsible for the help on
a command.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from nrunner import __version__

__all__ = ["ABOUT", "COMMANDS", "EPILOG", "said_at_once"]

ABOUT = "Run tests of every kind, many at once, wherever they must run."

COMMANDS = {
    "run": ("nrunner.cli.commands:run", "Run tests."),
    "replay": ("nrunner.cli.replay:replay", "Run a new job as another one was."),
    "list": ("nrunner.cli.commands:list_tests", "List the tests that references lead to."),
    "jobs": ("nrunner.cli.jobs:jobs", "Look at jobs, end them, go on with them."),
    "dut": ("nrunner.cli.dut:dut", "Look at devices under test, put them in or out of service."),
    "variants": ("nrunner.cli.variants:variants", "Show variants of tests."),
    "report": ("nrunner.cli.report:report", "Write reports of jobs from their journals."),
    "diff": ("nrunner.cli.diff:diff", "Say what became of tests from one job to another."),
    "assets": ("nrunner.cli.assets:assets", "Fetch, list and remove files that tests require."),
    "cache": ("nrunner.cli.cache:cache", "List and remove what is kept for later jobs."),
    "reap": ("nrunner.cli.reap:reap", "Remove what killed jobs have left of containers."),
    "sysinfo": ("nrunner.cli.sysinfo:sysinfo", "Collect what is worth knowing of this system."),
    "runner": ("nrunner.cli.runner:runner", "Check runner executables, and lend ours to others."),
    "plugins": ("nrunner.cli.plugins:plugins", "List resolvers, runners, spawners and results."),
    "config": ("nrunner.cli.config:config", "Show each setting and where it came from."),
    "completion": ("nrunner.cli.completion:completion", "Print a completion script for a shell."),
}
"""Each command: where it is, and what it does."""

EPILOG = (
    "Exit codes add up: 1 tests failed, 2 the job failed, 4 wrong usage,",
    "8 interrupted.",
)

_HELP = f"""\
Usage: nrunner [OPTIONS] COMMAND [ARGS]...

  {ABOUT}

Options:
  --version      Show the version and exit.
  --config FILE  Read settings from a file.
  --debug        Show the traceback of an error.
  -h, --help     Show this message and exit.

Commands:
{{commands}}

  {EPILOG[0]}
  {EPILOG[1]}"""
_WIDTH = 80


def said_at_once(words: Sequence[str]) -> str | None:
    """Return the answer to a command line that asks for no more than help or version."""
    if list(words) in (["--version"], ["-v"]):
        return f"nrunner {__version__}"
    if list(words) in (["--help"], ["-h"]) and _is_wide():
        lines = [f"  {name:<10}  {text}" for name, (_, text) in COMMANDS.items()]
        return _HELP.format(commands="\n".join(lines))
    return None


def _is_wide() -> bool:
    if os.environ.get("COLUMNS"):
        return False  # somebody has a wish
    try:
        return os.get_terminal_size(1).columns >= _WIDTH
    except OSError:
        return True
