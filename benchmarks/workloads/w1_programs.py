"""W1: a thousand times ``/bin/true``, which costs nothing but its start."""

from __future__ import annotations

from pathlib import Path

from benchmarks.adapters import ours, plain, recorders, spawning
from benchmarks.tool import Case

__all__ = ["TITLE", "cases", "true_programs"]

TITLE = "1,000 x /bin/true"
_TOOLS = (
    ours.PROGRAMS,
    plain.XARGS,
    plain.MAKE,
    plain.NINJA,
    recorders.CTEST,
    recorders.LIT,
    recorders.KYUA,
    recorders.PARALLEL,
    recorders.MESON,
    recorders.BATS,
    recorders.KIRK,
    recorders.AVOCADO,
    spawning.STESTR,
    spawning.PYTEST,
    spawning.PYTEST_N,
)


def true_programs(folder: Path, tests: int) -> tuple[str, ...]:
    """Return so many programs that are all the same."""
    return ("/bin/true",) * tests


def cases(short: bool) -> tuple[Case, ...]:
    """Return a case for each parallelism."""
    return tuple(
        Case("W1", f"parallelism {parallel}", _TOOLS, 1000, parallel, true_programs, "xargs")
        for parallel in ((2,) if short else (1, 2, 4))
    )
