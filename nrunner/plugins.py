"""Plugins by name: ours and those that other distributions add, as named factories.

Spawners, resolvers and results are entry points; runners beyond ours are executables on PATH.
Entry points are read only when a name is none of ours, or when all are asked for: that takes
longer than a small job. Not responsible for what a plugin does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from nrunner.errors import PluginError, UsageError
from nrunner.record import dataclass

__all__ = ["GROUPS", "Plugin", "every_plugin", "find_care", "find_plugin", "runner_executables"]

GROUPS = ("resolvers", "runners", "spawners", "results")

_SPAWNERS = {
    "process": "nrunner.spawners.process:make_spawner",
    "podman": "nrunner.spawners.podman.spawner:make_spawner",
    "ssh": "nrunner.spawners.ssh.spawner:make_spawner",
}

_CARE = "nrunner.spawners.ssh.care:make_care"

_RESULTS = {
    "ctrf": "nrunner.results.ctrf:CtrfReport",
    "html": "nrunner.results.html:HtmlReport",
    "json": "nrunner.results.json_report:JsonReport",
    "tap": "nrunner.results.tap:TapReport",
    "tmt": "nrunner.results.tmt:TmtReport",
    "trace": "nrunner.results.trace:TraceReport",
    "xunit": "nrunner.results.xunit:XunitReport",
}

_PREFIXES = ("nrunner-runner-", "avocado-runner-")


@dataclass(frozen=True)
class Plugin:
    """A named factory: where it is, and who brought it."""

    group: str
    name: str
    target: str
    """``module:attribute``, or the path of an executable."""
    origin: str
    """The distribution, with its version; for an executable, its folder."""

    def load(self) -> Any:
        """Return the factory; raise PluginError that names the plugin and its distribution."""
        module, _, attribute = self.target.partition(":")
        try:
            made: Any = import_module(module)
            for step in attribute.split("."):
                made = getattr(made, step)
        except Exception as error:  # a plugin may do anything wrong, and must harm nobody else
            reason = f"{type(error).__name__}: {error}"
            raise PluginError(f"load {self}: {reason}") from error
        if not callable(made):
            raise PluginError(f"load {self}: {self.target} is not a factory")
        return made

    def __str__(self) -> str:
        return f"plugin {self.name!r} of {self.group} ({self.target}, from {self.origin})"


def find_plugin(group: str, name: str) -> Plugin:
    """Return the plugin of this name; raise UsageError that names the nearest."""
    ours = _ours(group)
    if name in ours:
        return Plugin(group, name, ours[name], _origin_of_ours())
    found = {plugin.name: plugin for plugin in every_plugin(group)}
    if name not in found:
        raise UsageError(_missing(group, name, sorted(found)))
    return found[name]


def find_care() -> Plugin:
    """Return what takes care of devices (`nrunner.dutcare.MakeCare`)."""
    return Plugin("spawners", "ssh", _CARE, _origin_of_ours())


def every_plugin(group: str) -> list[Plugin]:
    """Return all plugins of a group; a name of ours cannot be taken by another."""
    ours = [Plugin(group, name, where, _origin_of_ours()) for name, where in _ours(group).items()]
    others = runner_executables(os.environ) if group == "runners" else _entry_points(group)
    taken = {plugin.name for plugin in ours} if group != "runners" else set()
    return ours + [plugin for plugin in others if plugin.name not in taken]


def _ours(group: str) -> Mapping[str, str]:
    """Return name to ``module:attribute`` of what ships with nrunner."""
    if group == "resolvers":
        from nrunner.resolver.registry import BUILT_IN

        return BUILT_IN
    if group == "runners":
        from nrunner.runners.registry import KINDS, runner

        classes = {kind: type(runner(kind)) for kind in sorted(KINDS)}
        return {kind: f"{each.__module__}:{each.__name__}" for kind, each in classes.items()}
    return _SPAWNERS if group == "spawners" else _RESULTS


def runner_executables(environ: Mapping[str, str]) -> list[Plugin]:
    """Return the runner executables on PATH, the first of each name."""
    found: dict[str, Plugin] = {}
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        for name in _names(folder or "."):
            prefix = next((each for each in _PREFIXES if name.startswith(each)), "")
            path = os.path.join(folder, name)  # noqa: PTH118 - as PATH has it
            if prefix and name != prefix and os.access(path, os.X_OK):
                found.setdefault(name, Plugin("runners", name.removeprefix(prefix), path, folder))
    return list(found.values())


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted
    except OSError:
        return []


def _entry_points(group: str) -> list[Plugin]:
    from importlib.metadata import entry_points

    return [
        Plugin(group, point.name, point.value, _origin(point.dist))
        for point in sorted(entry_points(group=f"nrunner.{group}"))
    ]


def _origin(distribution: Any) -> str:
    if distribution is None:
        return "an unknown distribution"
    return f"{distribution.name} {distribution.version}"


def _origin_of_ours() -> str:
    from nrunner import __version__

    return f"nrunner {__version__}"


def _missing(group: str, name: str, known: list[str]) -> str:
    from nrunner.schema import nearest

    close = nearest(name, known)
    hint = f"did you mean {close!r}?" if close else f"there are {', '.join(known)}"
    return f"find {group.removesuffix('s')} {name!r}: {hint}"
