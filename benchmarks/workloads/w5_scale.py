"""W5: from a thousand tests to a hundred thousand: what each of them costs must not grow."""

from __future__ import annotations

from benchmarks.adapters import ours, plain, recorders, spawning
from benchmarks.tool import Case
from benchmarks.workloads.w1_programs import true_programs

__all__ = ["TITLE", "cases"]

TITLE = "1,000 to 100,000 tests"
_BARE = (ours.PROGRAMS, plain.XARGS)
_TOOLS = (*_BARE, plain.MAKE, plain.NINJA, recorders.CTEST, recorders.LIT, spawning.STESTR)
_MANY = 100_000


def cases(short: bool) -> tuple[Case, ...]:
    """Return a case for each number of tests, and of tests that do not even start a process."""
    programs = [
        Case(
            "W5",
            f"{number:,} x /bin/true",
            _BARE if short or number == _MANY else _TOOLS,
            number,
            2,
            true_programs,
            "xargs",
        )
        for number in ((1_000, 2_000, 10_000) if short else (1_000, 2_000, 10_000, _MANY))
    ]
    numbers = (1_000, 10_000) if short else (1_000, 10_000, _MANY)
    # A thousand are over so soon that one run of them would say little.
    noops = [
        Case(
            "W5", f"{number:,} x noop", (ours.NOOPS,), number, 2, times=3 if number == 1_000 else 1
        )
        for number in numbers
    ]
    return (*programs, *noops)
