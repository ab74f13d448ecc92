"""Medians and ratios of measurements."""

from __future__ import annotations

import pytest

from benchmarks.statistic import median_or_none, paired_ratio, per_test, spread


def test_the_median_of_nothing_is_none():
    assert median_or_none([]) is None
    assert median_or_none([3.0, 1.0, 2.0]) == 2.0


def test_the_start_up_is_taken_off_what_the_other_tests_share():
    assert per_test([11.0, 21.0], [1.0, 2.0], 11) == [1.0, 1.9]


def test_without_a_run_of_one_all_tests_share_the_whole():
    assert per_test([10.0], [], 10) == [1.0]
    assert per_test([10.0], [9.0], 1) == [10.0]


def test_what_a_test_takes_by_its_nature_is_no_start_up():
    assert per_test([10.25], [0.75], 10, own=0.5) == pytest.approx([1.0])


def test_ratios_are_taken_within_a_round():
    # The second round was slow for both: that says nothing about either.
    assert paired_ratio([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == 2.0


def test_a_ratio_to_nothing_is_none():
    assert paired_ratio([], [1.0]) is None
    assert paired_ratio([1.0], [0.0]) is None


def test_spread_is_the_slowest_round_as_a_multiple_of_the_fastest():
    assert spread([2.0, 3.0, 4.0]) == 2.0
    assert spread([]) is None
