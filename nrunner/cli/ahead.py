"""What is said before a subcommand, as Avocado's users do: ``nrunner --show test -V list a.py``.

Moved behind the subcommand, where nrunner has it. Not responsible for what it means there.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["moved"]

_VALUED = ("--show",)
_VERBOSE = ("-V", "--verbose")
_IGNORED = ("--enable-paginator",)
_SHOWING = ("run", "replay")
"""Subcommands that print what goes on."""
_TELLING = ("list",)
"""Subcommands that have more to tell."""


def moved(words: Sequence[str]) -> list[str]:
    """Return a command line with what stands before the subcommand behind it."""
    rest = list(words)
    said: list[str] = []
    is_verbose = False
    while rest and rest[0].startswith("-"):
        flag, equals, _ = rest[0].partition("=")
        if flag in _VALUED and (equals or len(rest) > 1):
            said += [rest.pop(0)] if equals else [rest.pop(0), rest.pop(0)]
        elif rest[0] in _VERBOSE:
            is_verbose = bool(rest.pop(0))
        elif rest[0] in _IGNORED:
            rest.pop(0)
        else:
            return list(words)
    if not rest:
        return list(words)
    command, *others = rest
    before = said if command in _SHOWING else []
    verbose = ["--verbose"] if is_verbose and command in _TELLING else []
    return [command, *before, *verbose, *others]
