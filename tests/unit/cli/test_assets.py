"""Which files of the cache are meant."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from nrunner.cli.assets import fitting
from nrunner.errors import UsageError

NOW = 1_000_000_000.0


@dataclass(frozen=True)
class Kept:
    size: int
    days: float
    in_use: bool = False

    @property
    def used(self) -> float:
        return NOW - self.days * 86400


FILES = [Kept(100, 30), Kept(5 << 10, 8, in_use=True), Kept(3 << 20, 2), Kept(0, 0.5)]
"""As the cache has them: what was used least recently comes first."""


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (None, [0, 1, 2, 3]),
        (("by_days", "1"), [0, 2]),
        (("by_days", "20"), [0]),
        (("by_size_filter", ">=5K"), [1, 2]),
        (("by_size_filter", "> 5120"), [2]),
        (("by_size_filter", "==0"), [3]),
        (("by_size_filter", "<=100"), [0, 3]),
        (("by_size_filter", "<100"), [3]),
        (("by_overall_limit", "3M"), [0, 2]),
        (("by_overall_limit", "0"), [0, 2, 3]),
        (("by_overall_limit", "1G"), []),
    ],
)
def test_files_are_chosen_by_age_size_and_what_is_too_much(choice, chosen):
    assert [FILES.index(each) for each in fitting(FILES, choice, NOW)] == chosen


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (("by_days", "-1"), "use --by-days: expected a number of days, got '-1'"),
        (("by_size_filter", "5"), 'use --by-size-filter: expected one such as ">=2G"'),
        (("by_size_filter", ">x"), "use --by-size-filter: expected a size such as 4096"),
        (("by_size_filter", ">=none"), "use --by-size-filter: expected a size, got 'none'"),
        (("by_overall_limit", "1Q"), "use --by-overall-limit: expected a size such as 4096"),
        (("by_overall_limit", "none"), "use --by-overall-limit: expected a size, got 'none'"),
    ],
)
def test_a_choice_that_makes_no_sense_is_told(choice, reason):
    with pytest.raises(UsageError) as caught:
        fitting(FILES, choice, NOW)
    assert str(caught.value).startswith(reason)
