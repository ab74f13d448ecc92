"""Which writer a name stands for, and which console suits a stream.

Not responsible for any format, nor for where plugins are found (``nrunner.plugins``).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import IO

from nrunner.errors import PluginError, UsageError
from nrunner.plugins import find_plugin
from nrunner.results.base import Listener, ResultWriter

__all__ = ["SHOWN", "check_show", "find_writer", "listeners_for", "make_console"]

SHOWN = {
    "none": "nothing at all",
    "app": "the job, its tasks and their results",
    "test": "the same, and the end of what failed tests wrote",
}
"""What ``--show`` can ask for."""

_STREAMS = {"all": "test", "early": "test", "job": "app"}
"""Avocado's names of streams, and what shows about the same here."""
_LOGGERS = {"avocado.app": "app", "avocado.job": "app", "avocado.test": "test"}


def find_writer(name: str) -> ResultWriter:
    """Return a new writer; raise UsageError if none has this name, PluginError if it is broken."""
    plugin = find_plugin("results", name)
    factory = plugin.load()
    try:
        writer: ResultWriter = factory()
    except Exception as error:
        # A plugin may raise anything; what people need to know is whose fault it is.
        raise PluginError(f"load {plugin}: {type(error).__name__}: {error}") from error
    lacking = [each for each in _PARTS if not hasattr(writer, each)]
    if lacking:
        raise PluginError(f"load {plugin}: it has no {', '.join(lacking)}")
    return writer


_PARTS = ("name", "description", "file_name", "write")


def check_show(names: Iterable[str]) -> frozenset[str]:
    """Return the names that ``--show`` was given, if they are; raise UsageError."""
    wanted = frozenset(map(_shown_as, names)) or frozenset({"app"})
    for name in sorted(wanted - SHOWN.keys()):
        import difflib

        near = difflib.get_close_matches(name, SHOWN, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"show {name!r}: choose from {', '.join(SHOWN)}{hint}")
    if "none" in wanted and len(wanted) > 1:
        raise UsageError("show 'none' and something else")
    return wanted


def _shown_as(name: str) -> str:
    """Return what a name means; the level that Avocado's users put behind one changes nothing."""
    stream = name.partition(":")[0]
    known = stream if stream in SHOWN else name
    return _STREAMS.get(stream) or _LOGGERS.get(stream) or known


def make_console(stream: IO[str], *, show: Collection[str], quiet: bool) -> Listener:
    """Return the console that suits `stream`: with colours and a footer on a terminal.

    If `quiet`, one that speaks of failures alone.
    """
    wanted = check_show(show) - {"none"}
    if wanted and quiet:
        from nrunner.results.compact import Compact

        return Compact(stream)
    if wanted and _is_terminal(stream):
        from nrunner.results.terminal import Terminal  # rich takes time that others need not spend

        return Terminal(stream, wanted)
    from nrunner.results.console import Console  # what checks names needs none

    return Console(stream, wanted)


def listeners_for(stream: IO[str], show: Collection[str], *, quiet: bool) -> list[Listener]:
    """Return the console, and what tells of failures to the system that runs us, if that can."""
    console = make_console(stream, show=show, quiet=quiet)
    if not os.environ.get("CI"):
        return [console]
    from nrunner.results.ci import ci_notes

    notes = ci_notes(stream, os.environ)
    return [console] if notes is None else [console, notes]


def _is_terminal(stream: IO[str]) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    try:
        return stream.isatty()
    except ValueError:
        return False
