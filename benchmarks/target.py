"""What nrunner means to reach, held against what was measured. Pure.

For information: a figure that misses its target on a noisy machine fails nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.figure import CaseFigures, Figures
from benchmarks.tool import OURS

__all__ = ["TARGETS", "Target", "verdicts"]

_Value = Callable[[Figures], float | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure."""

    text: str
    value: _Value
    limit: float
    at_least: bool = False
    unit: str = "x"

    def holds(self, value: float) -> bool:
        """Say whether a value is within the bound."""
        return value >= self.limit if self.at_least else value <= self.limit


def verdicts(figures: Figures) -> Iterator[tuple[Target, float]]:
    """Return each target that was measured, with its value."""
    for target in TARGETS:
        value = target.value(figures)
        if value is not None:
            yield target, value


def _of(key: str, value: Callable[[CaseFigures], float | None]) -> _Value:
    def look_up(figures: Figures) -> float | None:
        case = figures.case(key)
        return None if case is None else value(case)

    return look_up


def _per_test(key: str, tool: str, ours: str = OURS) -> _Value:
    return _of(key, lambda case: case.ratio(ours, tool))


def _whole(key: str, tool: str, ours: str = OURS) -> _Value:
    return _of(key, lambda case: case.whole_ratio(ours, tool))


def _times_faster(key: str, tool: str, ours: str = OURS) -> _Value:
    return _of(key, lambda case: case.whole_ratio(tool, ours))


_RECORDERS = ("stestr", "ctest", "lit", "pytest -n2", "kyua", "parallel", "meson")

TARGETS: tuple[Target, ...] = (
    Target("W1 two at a time: a test, of xargs", _per_test("W1 parallelism 2", "xargs"), 1.4),
    *(
        Target(f"W1 two at a time: whole run, of {tool}", _whole("W1 parallelism 2", tool), 1.0)
        for tool in _RECORDERS
    ),
    Target(
        "W1 two at a time: times faster than Avocado",
        _times_faster("W1 parallelism 2", "avocado"),
        100,
        at_least=True,
    ),
)
