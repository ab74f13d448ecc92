"""Flags for click, made from the table of settings.

Not responsible for reading values: flags are passed on as text (``nrunner.option`` reads them).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from nrunner.cli.form import is_repeated, off_flag, other_names
from nrunner.cli.run import REPORTS
from nrunner.config import FIELDS, OPTIONS, Option
from nrunner.option import Switch

__all__ = ["report_flags", "setting_flags"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def setting_flags(*keys: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds the flags of these settings to a command."""

    def decorate(command: _Command) -> _Command:
        for key in reversed(keys):
            command = _flag(OPTIONS[key])(command)
        return command

    return decorate


def report_flags(what: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds the flags by which reports are asked for."""

    def decorate(command: _Command) -> _Command:
        for name, text in reversed(REPORTS.items()):
            told = f"{what} {text} there; - is stdout."
            flag = click.option(f"--{name}", type=click.Path(), metavar="FILE", help=told)
            command = flag(command)
        return command

    return decorate


def _flag(option: Option) -> Callable[[_Command], _Command]:
    name, flag = FIELDS[option.key], option.flag
    if isinstance(option.sort, Switch):
        names = (f"{flag}/{off_flag(flag)}", *other_names(flag))
        return click.option(name, *names, default=None, help=option.help)
    shape = click.Path() if option.sort.metavar == "PATH" else click.STRING
    return click.option(
        name,
        flag,
        *other_names(flag),
        metavar=option.sort.metavar,
        multiple=is_repeated(option),
        type=shape,
        help=option.help,
    )
