"""``nrunner dut`` as click knows it: its subcommands, loaded when used.

Not responsible for what they do.
"""

from __future__ import annotations

import click

from nrunner.cli.group import LazyGroup

__all__ = ["COMMANDS", "dut"]

COMMANDS = {
    "list": ("nrunner.cli.dut_overview:list_", "List devices, and how they are."),
    "check": ("nrunner.cli.dut_check:check", "Look whether tests can run on devices."),
    "enrol": ("nrunner.cli.dut_enrol:enrol", "Take the host key of a device into the inventory."),
    "release": ("nrunner.cli.dut_release:release", "Put a device into service again."),
    "train": ("nrunner.cli.dut_train:train", "Qualify a device: restart it again and again."),
}
"""Each command: where it is, and what it does."""


@click.command(cls=LazyGroup, lazy=COMMANDS)
def dut() -> None:
    """Look at devices under test, and put them in or out of service."""
