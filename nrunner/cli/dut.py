"""``nrunner dut`` as click knows it: its subcommands, loaded when used.

Not responsible for what they do.
"""

from __future__ import annotations

import click

from nrunner.cli.group import LazyGroup

__all__ = ["COMMANDS", "dut"]

COMMANDS = {
    "list": ("nrunner.cli.dut_overview:list_", "List devices, and how they are."),
}
"""Each command: where it is, and what it does."""


@click.command(cls=LazyGroup, lazy=COMMANDS)
def dut() -> None:
    """Look at devices under test, and put them in or out of service."""
