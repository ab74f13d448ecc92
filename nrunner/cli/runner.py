"""``nrunner runner`` as click knows it: its subcommands, loaded when used.

Not responsible for what they do.
"""

from __future__ import annotations

import click

from nrunner.cli.group import LazyGroup

__all__ = ["COMMANDS", "runner"]

COMMANDS = {
    "check": ("nrunner.cli.runner_check:check", "Say whether an executable behaves as it has to."),
    "link": ("nrunner.cli.runner_link:link", "Have other tools find ours as avocado-runner-KIND."),
}
"""Each command: where it is, and what it does."""


@click.command(cls=LazyGroup, lazy=COMMANDS)
def runner() -> None:
    """Work with runner executables: those of others, and ours for other tools."""
