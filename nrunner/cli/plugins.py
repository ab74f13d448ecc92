"""``nrunner plugins``: what there is, where each comes from, and which are broken.

Not responsible for finding them (``nrunner.plugins``).
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from nrunner.cli.output import say, say_json, table
from nrunner.errors import ExitCode, PluginError
from nrunner.plugins import GROUPS, Plugin, every_plugin
from nrunner.record import dataclass

__all__ = ["plugins"]


@dataclass(frozen=True)
class _Seen:
    """A plugin after an attempt to load it."""

    plugin: Plugin
    problem: str = ""


@click.command()
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
@click.option("-o", "--ordered", is_flag=True, help="List resolvers in the order of being asked.")
def plugins(as_json: bool, ordered: bool) -> int:
    """List resolvers, runners, spawners and results, and where each comes from.

    Runners include the executables nrunner-runner-* and avocado-runner-* on PATH. A plugin that
    cannot be loaded is named with the reason; the exit code is then 2.
    """
    seen = [each for group in GROUPS for each in _look(group)]
    if ordered:
        seen.sort(key=_rank)  # those without a rank stay as they are
    if as_json:
        say_json([_to_json(each) for each in seen])
    else:
        for group in GROUPS:
            say(f"{group}:")
            table(_row(each) for each in seen if each.plugin.group == group)
    return ExitCode.JOB_FAILED if any(each.problem for each in seen) else ExitCode.OK


def _rank(seen: _Seen) -> tuple[int, int, str]:
    plugin = seen.plugin
    if plugin.group != "resolvers":
        return (1, 0, "")
    priority = 0 if seen.problem else getattr(plugin.load(), "priority", 0)
    return (0, -priority, plugin.name)


def _look(group: str) -> Iterator[_Seen]:
    for plugin in every_plugin(group):
        try:
            if ":" in plugin.target and not plugin.target.startswith("/"):
                plugin.load()
        except PluginError as error:
            yield _Seen(plugin, str(error.__cause__ or error))
        else:
            yield _Seen(plugin)


def _row(seen: _Seen) -> tuple[str, ...]:
    plugin = seen.plugin
    problem = f"BROKEN: {seen.problem}" if seen.problem else ""
    return (f"  {plugin.name}", plugin.target, plugin.origin, problem)


def _to_json(seen: _Seen) -> dict[str, str | None]:
    plugin = seen.plugin
    return {
        "group": plugin.group,
        "name": plugin.name,
        "target": plugin.target,
        "origin": plugin.origin,
        "problem": seen.problem or None,
    }
