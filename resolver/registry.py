"""The resolvers there are: ours by name, and those that other distributions add.

Others are entry points of the group ``nrunner.resolvers``, each naming a class without arguments.
They are looked for by reading the few ``entry_points.txt`` files that mention the group, since
importlib.metadata takes longer to import than a test to run. Not responsible for asking them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from nrunner.errors import PluginError
from nrunner.record import dataclass
from nrunner.resolver.base import Resolver

__all__ = ["BUILT_IN", "GROUP", "Plugin", "load_resolvers", "plugins"]

GROUP = "nrunner.resolvers"

BUILT_IN: Mapping[str, str] = {
    "avocado-instrumented": "nrunner.resolver.avocado_instrumented:AvocadoInstrumentedResolver",
    "exec-runnables-recipe": "nrunner.resolver.exec_runnables_recipe:ExecRunnablesRecipeResolver",
    "exec-test": "nrunner.resolver.exec_test:ExecTestResolver",
    "hint": "nrunner.resolver.hint:HintResolver",
    "golang": "nrunner.resolver.golang:GolangResolver",
    "pytest": "nrunner.resolver.pytest:PytestResolver",
    "python-unittest": "nrunner.resolver.python_unittest:PythonUnittestResolver",
    "robot": "nrunner.resolver.robot:RobotResolver",
    "runnable-recipe": "nrunner.resolver.runnable_recipe:RunnableRecipeResolver",
    "tap": "nrunner.resolver.tap:TapResolver",
}


@dataclass(frozen=True, slots=True)
class Plugin:
    """A resolver by name: where its class is, and which distribution brought it."""

    name: str
    target: str
    """``module:attribute``."""
    distribution: str


def load_resolvers(path: Sequence[str] | None = None) -> tuple[list[Resolver], list[PluginError]]:
    """Return a new instance of each resolver, and what kept any other from being loaded."""
    resolvers: list[Resolver] = []
    errors: list[PluginError] = []
    for plugin in plugins(path):
        try:
            resolvers.append(_load(plugin))
        except PluginError as error:
            errors.append(error)
    return resolvers, errors


def plugins(path: Sequence[str] | None = None) -> list[Plugin]:
    """Return ours and those found on `path` (``sys.path``); a name of ours cannot be taken."""
    found = {name: Plugin(name, target, "nrunner") for name, target in BUILT_IN.items()}
    for plugin in _others(sys.path if path is None else path):
        found.setdefault(plugin.name, plugin)
    return list(found.values())


def _load(plugin: Plugin) -> Resolver:
    module, _, attribute = plugin.target.partition(":")
    try:
        made: Any = import_module(module)
        for step in attribute.split("."):
            made = getattr(made, step)
        resolver: Resolver = made()
        lacking = [each for each in _CONTRACT if getattr(resolver, each, None) is None]
    except Exception as error:  # a plugin may do anything wrong, and must harm nobody else
        raise PluginError(
            f"{_named(plugin)} could not be loaded: {type(error).__name__}: {error}"
        ) from error
    if lacking:
        raise PluginError(f"{_named(plugin)} is no resolver: it has no {', '.join(lacking)}")
    return resolver


_CONTRACT = ("name", "description", "priority", "resolve")


def _named(plugin: Plugin) -> str:
    return f"resolver {plugin.name!r} ({plugin.target}) of {plugin.distribution}"


def _others(path: Sequence[str]) -> Iterator[Plugin]:
    for folder in dict.fromkeys(path):
        for distribution, file in _entry_point_files(folder or "."):
            try:
                text = file.read_text("utf-8", "replace")
            except OSError:
                continue
            yield from _in_text(text, distribution)


def _entry_point_files(folder: str) -> list[tuple[str, Path]]:
    try:
        names = sorted(each.name for each in Path(folder).iterdir())
    except OSError:
        return []
    return [
        (name.rpartition(".")[0], Path(folder, name, "entry_points.txt"))
        for name in names
        if name.endswith((".dist-info", ".egg-info"))
    ]


def _in_text(text: str, distribution: str) -> Iterator[Plugin]:
    if GROUP not in text:
        return
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield Plugin(name.strip(), target.partition("[")[0].strip(), distribution)
