"""W2: a thousand trivial methods of unittest, in ten files of ten classes of ten."""

from __future__ import annotations

from benchmarks.adapters import methods
from benchmarks.tool import Case

__all__ = ["TITLE", "cases"]

TITLE = "1,000 unittest methods"
_TOOLS = (
    methods.PROCESS,
    methods.MODULE,
    methods.UNITTEST,
    methods.UNITTEST_PARALLEL,
    methods.STESTR,
    methods.PYTEST,
    methods.PYTEST_N,
    methods.FORKED,
    methods.FORKED_N,
    methods.UNITTEST_EACH,
    methods.AVOCADO,
)


def cases(short: bool) -> tuple[Case, ...]:
    """Return the one case there is."""
    return (Case("W2", "parallelism 2", _TOOLS, 1000, 2, methods.make_methods, "unittest"),)
