"""Hint files: INI files that say of which kind the tests of a folder are, read into Runnables.

``.nrunner.hint`` in the folder where nrunner is started, or ``.avocado.hint`` in the same form::

    [kinds]
    tap = ./tests/*.t

    [tap]
    uri = $testpath
    args = -v,--color
    kwargs = LANG=C

Not responsible for references that no hint is about.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nrunner.errors import ConfigError
from nrunner.resolver.base import HINTS
from nrunner.runnable import Runnable

if TYPE_CHECKING:
    from configparser import ConfigParser

__all__ = ["read_hints"]

_PATH = "$testpath"


def read_hints(folder: Path) -> dict[str, Runnable]:
    """Return what the hint file of a folder says: path to Runnable; raise ConfigError."""
    for name in HINTS:
        path = folder / name
        if path.is_file():
            return _read(path, folder)
    return {}


def _read(path: Path, folder: Path) -> dict[str, Runnable]:
    from configparser import ConfigParser, Error

    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError, Error) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"use {path.name}: {said}") from error
    if not parser.has_section("kinds"):
        raise ConfigError(f"use {path.name}: it has no section [kinds]")
    hints: dict[str, Runnable] = {}
    for kind, patterns in parser.items("kinds"):
        for test in _matching(patterns, folder):
            hints.setdefault(test, _runnable(parser, kind, test, path.name))
        _check(parser, kind, path.name)
    return hints


def _matching(patterns: str, folder: Path) -> list[str]:
    import glob

    found: list[str] = []
    for pattern in patterns.split():
        found += sorted(glob.glob(pattern, root_dir=folder))  # noqa: PTH207 - relative ones
    return found


def _check(parser: ConfigParser, kind: str, name: str) -> None:
    if not parser.has_section(kind):
        raise ConfigError(f"use {name}: there is no section [{kind}] for a kind that it names")
    if not parser.get(kind, "uri", fallback=""):
        raise ConfigError(f'use {name}: section [{kind}] has no "uri"')


def _runnable(parser: ConfigParser, kind: str, test: str, name: str) -> Runnable:
    _check(parser, kind, name)
    args = [each.strip() for each in parser.get(kind, "args", fallback="").split(",")]
    kwargs: dict[str, str] = {}
    for word in filter(None, parser.get(kind, "kwargs", fallback="").split(",")):
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f'use {name}: section [{kind}]: "kwargs": expected KEY=VALUE: {word}')
        kwargs[key.strip()] = value.replace(_PATH, test)
    uri = parser.get(kind, "uri").replace(_PATH, test)
    return Runnable(kind, uri, tuple(each.replace(_PATH, test) for each in args if each), kwargs)
