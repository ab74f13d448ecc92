"""Flags made from the table of settings, and the configuration that they lead to.

Not responsible for reading values: flags are passed on as text (``nrunner.option`` reads them).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from nrunner.config import FIELDS, OPTIONS, Config, Option
from nrunner.errors import UsageError
from nrunner.layer import Layer, flag_layer, load
from nrunner.option import Pairs, Switch

__all__ = ["configuration", "flags_of", "setting_flags", "working_folder"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def setting_flags(*keys: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds the flags of these settings to a command."""

    def decorate(command: _Command) -> _Command:
        for key in reversed(keys):
            command = _flag(OPTIONS[key])(command)
        return command

    return decorate


def _flag(option: Option) -> Callable[[_Command], _Command]:
    name, flag = FIELDS[option.key], option.flag
    if isinstance(option.sort, Switch):
        off = "/--no-" + flag.removeprefix("--")
        # Avocado spells it in one word.
        more = ["--failfast"] if flag == "--fail-fast" else []
        return click.option(name, flag + off, *more, default=None, help=option.help)
    several = isinstance(option.sort, Pairs) or option.key == "filter.by_tags"
    shape = click.Path() if option.sort.metavar == "PATH" else click.STRING
    return click.option(
        name,
        flag,
        metavar=option.sort.metavar,
        multiple=several,
        type=shape,
        help=option.help,
    )


def flags_of(parameters: Mapping[str, Any]) -> Layer:
    """Return the settings among a command's parameters."""
    keys = {name: key for key, name in FIELDS.items()}
    return flag_layer({keys[name]: value for name, value in parameters.items() if name in keys})


def configuration(*layers: Layer) -> Config:
    """Return the configuration that holds here, with `layers` on top."""
    return load(os.environ, working_folder(), *layers)


def working_folder() -> Path:
    """Return the current folder; raise UsageError if it is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError("use the current folder: it does not exist any more") from error
