"""Job files: TOML that says which suites to run, and with which settings.

Not responsible for turning references into tasks (``nrunner.planner``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrunner.errors import ConfigError
from nrunner.layer import Layer, refuse, settings_in
from nrunner.record import dataclass
from nrunner.requirement import from_table
from nrunner.runnable import Requirement
from nrunner.tomlfile import TomlFile, read_toml

if TYPE_CHECKING:
    from nrunner.schema import Problem

__all__ = ["JobFile", "Suite", "read_job"]


@dataclass(frozen=True)
class Suite:
    """A named group of references, with the settings it has of its own."""

    name: str
    references: tuple[str, ...]
    settings: Layer
    requirements: tuple[Requirement, ...] = ()


@dataclass(frozen=True)
class JobFile:
    """What a job file says."""

    settings: Layer
    suites: tuple[Suite, ...]
    requirements: tuple[Requirement, ...] = ()


def read_job(path: Path) -> JobFile:
    """Read a job file; raise ConfigError that lists whatever is wrong with it."""
    try:
        file = read_toml(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"read job file {path}: {(error.strerror or '').lower()}") from error
    wrong: list[Problem] = []
    settings, requirements = _job(file, wrong)
    suites = _suites(file, wrong)
    extra = [(key,) for key in file.data if key not in ("job", "suite")]
    if wrong or extra:
        raise refuse(file, "job", wrong)
    return JobFile(settings, suites, requirements)


def _job(file: TomlFile, wrong: list[Problem]) -> tuple[Layer, tuple[Requirement, ...]]:
    table = file.data.get("job", {})
    if not isinstance(table, Mapping):
        wrong.append(_problem(("job",), "expected a table of settings"))
        return {}, ()
    rest = {key: table[key] for key in table if key != "requirements"}
    settings, problems = settings_in(file, rest, ("job",))
    wrong += problems
    return settings, _requirements(table, ("job",), wrong)


def _requirements(
    table: Mapping[str, Any], here: tuple[str | int, ...], wrong: list[Problem]
) -> tuple[Requirement, ...]:
    if "requirements" not in table:
        return ()
    found, problems = from_table(table["requirements"], (*here, "requirements"))
    wrong += problems
    return found


def _suites(file: TomlFile, wrong: list[Problem]) -> tuple[Suite, ...]:
    tables = file.data.get("suite")
    if not isinstance(tables, list) or not tables:
        wrong.append(_problem(() if tables is None else ("suite",), _NO_SUITE))
        return ()
    suites = [_suite(file, table, place, wrong) for place, table in enumerate(tables)]
    for place, suite in enumerate(suites):
        if suite.name and suite.name in [each.name for each in suites[:place]]:
            message = f"there is another suite named {suite.name!r}"
            wrong.append(_problem(("suite", place, "name"), message))
    return tuple(suites)


_NO_SUITE = "expected at least one [[suite]] with a name and references"


def _suite(file: TomlFile, table: Any, place: int, wrong: list[Problem]) -> Suite:
    here = ("suite", place)
    if not isinstance(table, Mapping):
        wrong.append(_problem(here, _NO_SUITE))
        return Suite("", (), {})
    rest = {key: table[key] for key in table if key not in _OWN}
    settings, problems = settings_in(file, rest, here, suite=True)
    wrong += problems
    name, references = table.get("name"), table.get("references")
    if not _is_text(name):
        wrong.append(_lacking(here, table, "name", "a name"))
    if not isinstance(references, list) or not references or not all(map(_is_text, references)):
        wrong.append(_lacking(here, table, "references", "a list of references"))
        references = []
    return Suite(str(name), tuple(references), settings, _requirements(table, here, wrong))


_OWN = ("name", "references", "requirements")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _lacking(here: tuple[str | int, ...], table: Mapping[str, Any], key: str, what: str) -> Problem:
    if key in table:
        return _problem((*here, key), f"expected {what}, not empty")
    return _problem(here, f'key "{key}" is missing: expected {what}')


def _problem(path: tuple[str | int, ...], message: str) -> Problem:
    from nrunner.schema import Problem

    return Problem(path, message)
