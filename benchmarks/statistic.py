"""Medians and ratios of what was measured. Pure.

On a noisy machine only ratios mean something, and only those of measurements that were taken side
by side: a ratio is taken per round, and the median of these is quoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

__all__ = ["median_or_none", "paired_ratio", "per_test", "spread"]


def median_or_none(values: Sequence[float]) -> float | None:
    """Return the median, or None where there is nothing."""
    return median(values) if values else None


def per_test(
    many: Sequence[float], one: Sequence[float], tests: int, own: float = 0.0
) -> list[float]:
    """Return the time per test of each round, with that round's start-up taken off.

    A run of one test is the start-up and one test, so the other tests share the difference; where
    it is known what a test takes by its nature (`own`), start-up is the rest, and all tests share.
    Without such a run the whole is shared by all.
    """
    if not one or tests < 2:
        return [seconds / tests for seconds in many]
    if own:
        return [(whole - start + own) / tests for whole, start in zip(many, one, strict=True)]
    return [(whole - start) / (tests - 1) for whole, start in zip(many, one, strict=True)]


def paired_ratio(upper: Sequence[float], lower: Sequence[float]) -> float | None:
    """Return the median of the ratios of each round; None if no round has both."""
    return median_or_none([a / b for a, b in zip(upper, lower, strict=False) if b > 0])


def spread(values: Sequence[float]) -> float | None:
    """Return how far apart the rounds were: the largest as a multiple of the smallest."""
    return max(values) / min(values) if values and min(values) > 0 else None
