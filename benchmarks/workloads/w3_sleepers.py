"""W3: scripts that only sleep, so that all that counts is how well they overlap."""

from __future__ import annotations

from pathlib import Path

from benchmarks.adapters import ours, plain, recorders, spawning
from benchmarks.tool import Case

__all__ = ["TITLE", "cases"]

TITLE = "200 scripts that sleep 0.05 s"
_SECONDS = 0.05
_TOOLS = (
    ours.PROGRAMS,
    plain.XARGS_SH,
    plain.MAKE,
    plain.NINJA,
    recorders.CTEST,
    recorders.LIT,
    recorders.KYUA,
    recorders.PARALLEL,
    recorders.MESON,
    spawning.PYTEST_N,
)
_MANY = tuple(tool for tool in _TOOLS if tool is not spawning.PYTEST_N)
"""A worker of pytest for each of 32 sleepers costs more than it saves."""


def _sleepers(folder: Path, tests: int) -> tuple[str, ...]:
    for number in range(tests):
        path = folder / f"sleep-{number}.sh"
        path.write_text(f"#!/bin/sh\nexec sleep {_SECONDS}\n")
        path.chmod(0o755)
    return tuple(str(folder / f"sleep-{number}.sh") for number in range(tests))


def cases(short: bool) -> tuple[Case, ...]:
    """Return a case for each parallelism."""
    return tuple(
        Case(
            "W3",
            f"parallelism {parallel}",
            _TOOLS if parallel <= 8 else _MANY,
            200,
            parallel,
            _sleepers,
            "xargs",
            own_seconds=_SECONDS,
        )
        for parallel in ((8, 32) if short else (2, 8, 32, 128))
    )
