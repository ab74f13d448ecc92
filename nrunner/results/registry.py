"""Result plugins by name, and which console suits a stream.

Entry points are read only when a name is not one of ours, since reading them takes longer than
running a test. Not responsible for any format.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Collection
from typing import IO, TYPE_CHECKING

from nrunner.errors import PluginError, UsageError
from nrunner.results.base import Listener, ResultWriter
from nrunner.results.console import Console

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["SHOWN", "find_writer", "make_console", "parse_show", "writer_names"]

_GROUP = "nrunner.results"
_OURS = {
    "json": "nrunner.results.json_report:JsonReport",
    "tap": "nrunner.results.tap:TapReport",
}

SHOWN = {
    "none": "nothing at all",
    "app": "the job, its tasks and their results",
    "test": "the same, and the end of what failed tests wrote",
}
"""What ``--show`` can ask for."""


def find_writer(name: str) -> ResultWriter:
    """Return a new writer; raise UsageError if none has this name, PluginError if it is broken."""
    if name in _OURS:
        module, _, attribute = _OURS[name].partition(":")
        writer: ResultWriter = getattr(importlib.import_module(module), attribute)()
        return writer
    points = _entry_points()
    if name in points:
        return _load(points[name])
    names = sorted({*_OURS, *points})
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"write a report {name!r}: choose from {', '.join(names)}{hint}")


def writer_names() -> dict[str, str]:
    """Return the name of each writer, and the distribution it comes from."""
    theirs = {name: _origin(point) for name, point in _entry_points().items()}
    return {**theirs, **dict.fromkeys(_OURS, "nrunner")}


def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # slow, and hardly ever needed

    return {point.name: point for point in entry_points(group=_GROUP)}


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def _load(point: EntryPoint) -> ResultWriter:
    plugin = f"result plugin {point.name!r} ({point.value}) of {_origin(point)}"
    try:
        writer: ResultWriter = point.load()()
    except Exception as error:
        # A plugin may raise anything; what people need to know is whose fault it is.
        raise PluginError(f"load {plugin}: {type(error).__name__}: {error}") from error
    lacking = [
        each
        for each in ("name", "description", "file_name", "write")
        if getattr(writer, each, None) is None
    ]
    if lacking:
        raise PluginError(f"load {plugin}: it has no {', '.join(lacking)}")
    return writer


def parse_show(text: str) -> frozenset[str]:
    """Read the value of ``--show``: names with commas between; raise UsageError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in SHOWN:
            near = difflib.get_close_matches(name, SHOWN, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"show {name!r}: choose from {', '.join(SHOWN)}{hint}")
    if "none" in names and len(names) > 1:
        raise UsageError(f"show {text!r}: 'none' stands alone")
    return frozenset(names or ["app"])


def make_console(stream: IO[str], *, show: Collection[str], quiet: bool) -> Listener:
    """Return the console that suits `stream`: with colours and a footer on a terminal."""
    wanted = frozenset() if quiet else frozenset(show) - {"none"}
    if wanted and _is_terminal(stream):
        from nrunner.results.terminal import Terminal  # rich takes time that others need not spend

        return Terminal(stream, wanted)
    return Console(stream, wanted)


def _is_terminal(stream: IO[str]) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    try:
        return stream.isatty()
    except ValueError:
        return False
