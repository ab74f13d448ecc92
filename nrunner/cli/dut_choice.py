"""Which devices a command means: its arguments and flags, and how a shell completes them.

Not responsible for what is done with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from nrunner.cli.settings import configuration, flags_of, working_folder
from nrunner.dutfilter import select
from nrunner.inventory import Dut, Inventory, find_inventory, read_inventory

__all__ = ["chosen_dut", "chosen_duts", "dut_argument", "duts_argument"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def chosen_duts(names: Sequence[str], flags: Mapping[str, Any]) -> tuple[Dut, ...]:
    """Return the devices that arguments and flags lead to; raise UsageError if none is."""
    config = configuration(flags_of(flags))
    return select(_inventory(flags), names or config.ssh_duts, config.ssh_dut_tags)


def chosen_dut(name: str, flags: Mapping[str, Any]) -> tuple[Dut, Inventory]:
    """Return the device of a name, and the inventory that it stands in; raise UsageError."""
    inventory = _inventory(flags)
    return select(inventory, [name])[0], inventory


def _inventory(flags: Mapping[str, Any]) -> Inventory:
    config = configuration(flags_of(flags))
    return read_inventory(find_inventory(config.ssh_inventory, working_folder()))


def _complete(_context: Any, _parameter: Any, incomplete: str) -> list[str]:
    try:
        duts = _inventory({}).duts
    except Exception:  # a shell that completes a word is no place to complain
        return []
    return [dut.name for dut in duts if dut.name.startswith(incomplete)]


def dut_argument() -> Callable[[_Command], _Command]:
    """Return a decorator that adds the argument NAME to a command."""
    return click.argument("name", shell_complete=_complete)


def duts_argument() -> Callable[[_Command], _Command]:
    """Return a decorator that adds the argument NAMES to a command; none means all."""
    return click.argument("names", nargs=-1, shell_complete=_complete)
