"""W6: scripts that print the Test Anything Protocol."""

from __future__ import annotations

from pathlib import Path

from benchmarks.adapters import ours, plain, recorders
from benchmarks.tool import Case

__all__ = ["TITLE", "cases", "tap_scripts"]

TITLE = "200 TAP scripts of 10 subtests"
_TOOLS = (
    ours.PROGRAMS,
    plain.XARGS_SH,
    recorders.PROVE,
    recorders.KYUA_TAP,
    recorders.MESON_TAP,
)


def tap_scripts(folder: Path, tests: int) -> tuple[str, ...]:
    """Make so many scripts that print ten subtests each."""
    lines = "".join(f"echo 'ok {number} - it works'\n" for number in range(1, 11))
    for number in range(tests):
        path = folder / f"script-{number}.t"
        path.write_text(f"#!/bin/sh\necho 1..10\n{lines}")
        path.chmod(0o755)
    return tuple(str(folder / f"script-{number}.t") for number in range(tests))


def cases(short: bool) -> tuple[Case, ...]:
    """Return the one case there is."""
    return (Case("W6", "parallelism 2", _TOOLS, 200, 2, tap_scripts, "xargs"),)
