"""Where the values of settings come from, and which of them wins.

From the weakest to the strongest: defaults, the user's ``nrunner.toml``, ``nrunner.toml`` in the
current folder, a file that is named (``--config``), the environment, a job file, flags. Not
responsible for which settings there are (``nrunner.config``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrunner.config import FIELDS, OPTIONS, Config, Option
from nrunner.errors import ConfigError
from nrunner.record import dataclass
from nrunner.tomlfile import Steps, TomlFile, read_toml
from nrunner.userfolder import user_folder

if TYPE_CHECKING:
    from nrunner.schema import Problem

__all__ = [
    "FILE_NAME",
    "Layer",
    "Value",
    "build",
    "environment_layer",
    "file_layer",
    "flag_layer",
    "given_layer",
    "load",
    "named_layer",
    "refuse",
    "settings_in",
    "user_file",
]

FILE_NAME = "nrunner.toml"


@dataclass(frozen=True)
class Value:
    """A setting's value and where it came from."""

    value: Any
    source: str
    """``file:line``, the name of a variable or of a flag."""


Layer = Mapping[str, Value]
"""Keys of settings with the values that one source gives them."""


def build(layers: Iterable[Layer]) -> Config:
    """Return the configuration that `layers` make; later ones win, environments add up."""
    merged: dict[str, Value] = {}
    for layer in layers:
        for key, each in layer.items():
            before = merged.get(key)
            merged[key] = _added(before, each) if before and key == "run.env" else each
    values = {FIELDS[key]: each.value for key, each in merged.items()}
    return Config(**values, sources={key: each.source for key, each in merged.items()})


def _added(before: Value, now: Value) -> Value:
    return Value({**before.value, **now.value}, f"{before.source}, {now.source}")


def load(
    environ: Mapping[str, str], here: Path, *more: Layer, named: Iterable[Path] = ()
) -> Config:
    """Return the configuration of somebody who works in `here`; `more` are stronger layers.

    `named` are files whose settings count, too.
    """
    return build([*_files(here), *map(named_layer, named), environment_layer(environ), *more])


def named_layer(path: Path) -> Layer:
    """Return the settings of a file of ours (``*.toml``) or of Avocado's; raise ConfigError."""
    if path.suffix == ".toml":
        try:
            return file_layer(read_toml(path))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"read {path}: there is no such file") from error
    from nrunner.avocadofile import read_ini

    return {key: Value(*each) for key, each in read_ini(path).items()}


def user_file() -> Path:
    """Return the path of the user's configuration file, which may not exist."""
    return user_folder("config") / FILE_NAME


def _files(here: Path) -> Iterator[Layer]:
    for path, shown in ((user_file(), ""), (here / FILE_NAME, FILE_NAME)):
        try:
            file = read_toml(path, shown)
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield file_layer(file)


def file_layer(file: TomlFile) -> Layer:
    """Return the settings of a configuration file; raise ConfigError that lists what is wrong."""
    layer, wrong = settings_in(file, file.data)
    if wrong:
        raise refuse(file, "config", wrong)
    return layer


def settings_in(
    file: TomlFile,
    table: Mapping[str, Any],
    place: Steps = (),
    *,
    suite: bool = False,
) -> tuple[dict[str, Value], list[Problem]]:
    """Return the settings in the table at `place`, and what is wrong with it.

    `suite` admits only those that may differ from suite to suite.
    """
    layer: dict[str, Value] = {}
    wrong: list[Problem] = []
    for path, value in _leaves(table):
        key = ".".join(path)
        option = OPTIONS.get(key)
        if option is None or (suite and not option.per_suite):
            wrong.append(_unknown((*place, *path), key, suite))
            continue
        try:
            layer[key] = Value(option.sort.from_toml(value), file.where((*place, *path)))
        except ValueError as error:
            wrong.append(_problem((*place, *path), str(error)))
    return layer, wrong


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yield the path and value of each setting, and of whatever is none."""
    for key, value in table.items():
        inner = (*path, key)
        if isinstance(value, Mapping) and ".".join(inner) in _SECTIONS and "." not in key:
            yield from _leaves(value, inner)
        else:
            yield inner, value


_SECTIONS = frozenset(
    key.rsplit(".", depth)[0] for key in OPTIONS for depth in range(1, key.count(".") + 1)
)


def _unknown(path: Steps, key: str, suite: bool) -> Problem:
    if key in OPTIONS:
        return _problem(path, "cannot differ from suite to suite: set it for the whole job")
    names = [name for name, option in OPTIONS.items() if option.per_suite or not suite]
    if suite:
        names += ["name", "references"]
    if path[0] in ("job", "suite"):
        names.append("requirements")
    by_end = (name for name in names if name.endswith("." + key))
    return _problem(path, "unknown key", _nearest(key, [*names, *_SECTIONS]) or next(by_end, ""))


def _problem(path: Steps, message: str, suggestion: str = "") -> Problem:
    from nrunner.schema import Problem  # takes time that good files need not spend

    return Problem(path, message, suggestion)


def _nearest(name: str, valid: Iterable[str]) -> str:
    from nrunner.schema import nearest

    return nearest(name, valid)


def refuse(file: TomlFile, schema_name: str, wrong: list[Problem]) -> ConfigError:
    """Return the error for a file in which something is wrong: it lists all there is.

    A good file is accepted without its schema, since importing what checks it takes as long as
    a small job; a test holds the two together.
    """
    from nrunner.schema import problems

    known = {each.path for each in wrong}
    more = [each for each in problems(file.data, schema_name) if each.path not in known]
    lines = [f"{file.where(each.path)}: {each}" for each in (*wrong, *more)]
    return ConfigError("use " + "\n  and ".join(lines))


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Return the settings in ``NRUNNER_...`` variables; empty ones count as not set.

    ``NRUNNER_OUTPUT=compact`` is another word for ``NRUNNER_OUTPUT_QUIET=true``.
    """
    known = {option.variable: option for option in OPTIONS.values()}
    layer: dict[str, Value] = {}
    if environ.get(_OUTPUT) == "compact":
        layer["output.quiet"] = Value(True, _OUTPUT)
    for name, text in environ.items():
        if not name.startswith(_VARIABLES) or not text:
            continue
        if name not in known:
            raise ConfigError(_unknown_variable(name, known))
        option = known[name]
        layer[option.key] = Value(_read(option, option.sort.from_text, text, name), name)
    return layer


_OUTPUT = "NRUNNER_OUTPUT"
_VARIABLES = tuple(
    {option.variable[: option.variable.index("_", 8) + 1] for option in OPTIONS.values()}
)
"""Other variables that begin with ``NRUNNER_`` are none of ours: payloads see some."""


def _unknown_variable(name: str, known: Iterable[str]) -> str:
    close = _nearest(name, known)
    hint = f"; did you mean {close}?" if close else ""
    return f"use the environment variable {name}: there is no such setting{hint}"


def flag_layer(given: Mapping[str, Any]) -> Layer:
    """Return the settings among `given` flags, by key; None, and no values, mean not given."""
    layer: dict[str, Value] = {}
    for key, value in given.items():
        if value is not None and value != ():
            option = OPTIONS[key]
            read = _read(option, option.sort.from_flag, value, option.flag)
            layer[key] = Value(read, option.flag)
    return layer


def given_layer(given: Mapping[str, Any], source: str, *, suite: bool = False) -> Layer:
    """Return settings that a program gives by key, as a file would have them; raise ConfigError.

    `suite` admits only those that may differ from suite to suite.
    """
    layer: dict[str, Value] = {}
    for key, value in given.items():
        option = OPTIONS.get(key)
        if option is None:
            near = _nearest(key, OPTIONS)
            hint = f"; did you mean {near}?" if near else ""
            raise ConfigError(f"use {source}: there is no setting {key!r}{hint}")
        if suite and not option.per_suite:
            raise ConfigError(f"use {source}: {key} cannot differ from suite to suite")
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        layer[key] = Value(_read(option, option.sort.from_toml, text, f"{source}: {key}"), source)
    return layer


def _read(option: Option, read: Callable[[Any], Any], given: Any, source: str) -> Any:
    try:
        return read(given)
    except ValueError as error:
        raise ConfigError(f"use {source}: {error}") from error
