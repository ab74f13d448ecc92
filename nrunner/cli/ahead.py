"""What is said before a subcommand, as Avocado's users do: ``nrunner --show test -V list a.py``.

Moved behind the subcommand, where nrunner has it. Not responsible for what it means there.
"""

from __future__ import annotations

from collections.abc import Sequence

from nrunner.record import dataclass

__all__ = ["Said", "ahead"]

_VALUED = ("--show", "--config")
_VERBOSE = ("-V", "--verbose")
_IGNORED = ("--enable-paginator",)
_KEPT = "--debug"
_SHOWING = ("run", "replay")
"""Subcommands that print what goes on."""
_TELLING = ("list",)
"""Subcommands that have more to tell."""


@dataclass(frozen=True)
class Said:
    """A command line of nrunner's own, and the file of settings that was named before it."""

    words: list[str]
    config: str = ""


def ahead(words: Sequence[str]) -> Said:
    """Return a command line with what stands before the subcommand behind it."""
    rest = list(words)
    values: dict[str, str] = {}
    is_verbose = False
    kept: list[str] = []
    while rest and rest[0].startswith("-"):
        flag, equals, value = rest[0].partition("=")
        if flag in _VALUED and (equals or len(rest) > 1):
            rest.pop(0)
            values[flag] = value if equals else rest.pop(0)
        elif rest[0] in _VERBOSE:
            is_verbose = bool(rest.pop(0))
        elif rest[0] in _IGNORED:
            rest.pop(0)
        elif rest[0] == _KEPT:
            kept = [rest.pop(0)]
        else:
            return Said(list(words))
    if not rest:
        return Said(list(words))
    command, *others = rest
    more = ["--verbose"] if is_verbose and command in _TELLING else []
    if "--show" in values and command in _SHOWING:
        more.append(f"--show={values['--show']}")
    return Said([*kept, command, *more, *others], values.get("--config", ""))
