"""The configuration that flags and the current folder lead to.

Not responsible for the flags themselves (``nrunner.cli.form``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nrunner.config import FIELDS, Config
from nrunner.errors import UsageError
from nrunner.layer import Layer, flag_layer, load

__all__ = ["configuration", "flags_of", "with_file", "working_folder"]


_named: list[Path] = []
"""The file of settings that was named before the subcommand, while that is carried out."""


@contextmanager
def with_file(name: str) -> Iterator[None]:
    """Have the settings of a file count (``--config``)."""
    _named.append(working_folder() / name)
    try:
        yield
    finally:
        _named.clear()


def flags_of(parameters: Mapping[str, Any]) -> Layer:
    """Return the settings among a command's parameters."""
    keys = {name: key for key, name in FIELDS.items()}
    return flag_layer({keys[name]: value for name, value in parameters.items() if name in keys})


def configuration(*layers: Layer) -> Config:
    """Return the configuration that holds here, with `layers` on top."""
    return load(os.environ, working_folder(), *layers, named=_named)


def working_folder() -> Path:
    """Return the current folder; raise UsageError if it is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError("use the current folder: it does not exist any more") from error
