"""Avocado's configuration file (INI), read for the settings that nrunner has, too (``--config``).

What only Avocado knows is passed over: such a file serves both. Not responsible for nrunner's own
files (``nrunner.layer``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nrunner.config import OPTIONS, Config
from nrunner.errors import ConfigError
from nrunner.option import Switch

__all__ = ["SHARED", "read_ini"]

SHARED: Mapping[str, str] = {
    "core.show": "output.show",
    "datadir.paths.logs_dir": "run.results_dir",
    "filter.by_tags.include_empty": "filter.by_tags_include_empty",
    "filter.by_tags.include_empty_key": "filter.by_tags_include_empty_key",
    "filter.by_tags.tags": "filter.by_tags",
    "job.run.result.tap.include_logs": "results.tap_include_logs",
    "job.run.result.xunit.job_name": "results.xunit_job_name",
    "job.run.result.xunit.max_test_log_chars": "results.xunit_max_test_log_chars",
    "job.run.store_logging_stream": "run.store_logging_stream",
    "job.run.timeout": "run.job_timeout",
    "json.variants.load": "run.json_variants_load",
    "resolver.exec_runnables_recipe.arguments": "resolver.exec_runnables_recipe.arguments",
    "resolver.run_executables": "resolver.run_executables",
    "run.dry_run.enabled": "run.dry_run",
    "run.execution_order": "run.execution_order",
    "run.failfast": "run.fail_fast",
    "run.ignore_missing_references": "run.ignore_missing_references",
    "run.job_category": "run.job_category",
    "run.keep_tmp": "runner.keep_tmp",
    "run.max_parallel_tasks": "run.max_parallel_tasks",
    "run.results.archive": "run.archive",
    "run.results_dir": "run.results_dir",
    "run.shuffle": "run.shuffle",
    "run.spawner": "run.spawner",
    "run.suite_runner": "run.suite_runner",
    "run.test_parameters": "run.env",
    "runner.exectest.clear_env": "runner.exectest.clear_env",
    "runner.exectest.exitcodes.skip": "runner.exectest.exitcodes.skip",
    "runner.task.interval.from_soft_to_hard_termination": "run.grace",
    "spawner.podman.image": "podman.image",
    "sysinfo.collect.commands_timeout": "sysinfo.collect.commands_timeout",
    "sysinfo.collect.enabled": "sysinfo.collect.enabled",
    "sysinfo.collect.installed_packages": "sysinfo.collect.installed_packages",
    "sysinfo.collect.locale": "sysinfo.collect.locale",
    "sysinfo.collect.per_test": "sysinfo.collect.per_test",
    "sysinfo.collectibles.commands": "sysinfo.collectibles.commands",
    "sysinfo.collectibles.fail_commands": "sysinfo.collectibles.fail_commands",
    "sysinfo.collectibles.fail_files": "sysinfo.collectibles.fail_files",
    "sysinfo.collectibles.files": "sysinfo.collectibles.files",
    "task.timeout.running": "run.task_timeout",
}
"""Names of Avocado's settings, and of ours that mean the same."""

_NOTHING = ("", "None", "-1")
"""What stands for no value; the last for no limit."""
_REPORTS = {f"job.run.result.{name}.enabled": name for name in ("json", "xunit", "tap")}
"""Settings that leave a report out."""


def read_ini(path: Path) -> dict[str, tuple[Any, str]]:
    """Return the settings in a file, each with where it stands; raise ConfigError."""
    found: dict[str, tuple[Any, str]] = {}
    unwanted = set()
    for name, value, where in _written(path):
        if name in SHARED:
            key = SHARED[name]
            found[key] = (_checked(partial(_read, key), value, where), where)
        elif name in _REPORTS and not _checked(Switch().from_text, value, where):
            unwanted.add(_REPORTS[name])
    if unwanted:
        wanted = tuple(each for each in Config.results if each not in unwanted)
        found["run.results"] = (wanted, str(path))
    return found


def _written(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each setting with a value, the value, and where it stands."""
    from configparser import ConfigParser, Error

    parser = ConfigParser(interpolation=None)
    try:
        text = path.read_text("utf-8")
        parser.read_string(text, str(path))
    except (OSError, UnicodeDecodeError, Error) as error:
        said = " ".join(str(getattr(error, "strerror", "") or error).split())
        raise ConfigError(f"read {path}: {said}") from error
    for section in parser.sections():
        for option, value in parser.items(section):
            if value not in _NOTHING:
                line = _line(text, section, option)
                yield f"{section}.{option}", value, f"{path}:{line}"


def _line(text: str, section: str, option: str) -> int:
    """Return the line of an option."""
    here = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            here = line.strip().strip("[]")
        elif here == section and re.match(rf"{re.escape(option)}\s*[=:]", line, re.IGNORECASE):
            return number
    return 1


def _checked(read: Callable[[str], Any], value: str, where: str) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ConfigError(f"use {where}: {error}") from error


def _read(key: str, value: str) -> Any:
    """Read a value: lists and numbers stand there as Python has them."""
    sort = OPTIONS[key].sort
    if not value.startswith(("[", "{", "(")):
        return sort.from_text(value)
    items = _items(value)
    if key == "run.env":
        return sort.from_flag([_pair(each) for each in items])
    return sort.from_toml(items)


def _pair(item: Any) -> str:
    return "=".join(map(str, item)) if isinstance(item, (list, tuple)) else str(item)


def _items(text: str) -> list[Any]:
    """Return the items of a list, a tuple or a set; raise ValueError for all else."""
    try:
        found = ast.literal_eval(text)
        if isinstance(found, (list, tuple, set)):
            return sorted(found) if isinstance(found, set) else list(found)
    except _NO_LITERAL:
        pass
    raise ValueError(f"expected a list as Python has it, got {text!r}")


_NO_LITERAL = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)
"""What reading a literal may raise, depending on what is wrong with it."""
