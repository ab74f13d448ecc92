"""Slots of the job and of places."""

from __future__ import annotations

import pytest

from nrunner.errors import UsageError
from nrunner.limits import Limits


@pytest.mark.parametrize("most", [0, -1])
def test_a_job_that_may_run_nothing_is_refused(most):
    with pytest.raises(UsageError, match=f"at least 1 task .* not {most}"):
        Limits(most)


def test_the_job_has_no_more_slots_than_it_was_given():
    limits = Limits(2)
    assert [limits.try_take(place) for place in ("a", "b", "c")] == [True, True, False]
    assert limits.taken == 2


def test_a_place_has_no_more_slots_than_it_was_given():
    limits = Limits(5)
    limits.set_place("a", 1)
    assert [limits.try_take("a"), limits.try_take("a"), limits.try_take("b")] == [True, False, True]


def test_a_refusal_takes_nothing():
    limits = Limits(2)
    limits.set_place("a", 0)
    assert not limits.try_take("a")
    assert limits.taken == 0
    assert limits.try_take("b")


def test_a_place_that_nobody_bounded_takes_what_the_job_takes():
    limits = Limits(2)
    assert [limits.try_take("a") for _ in range(3)] == [True, True, False]


def test_a_slot_that_was_given_back_can_be_taken_again():
    limits = Limits(1)
    limits.set_place("a", 1)
    assert limits.try_take("a")
    limits.give_back("a")
    assert limits.taken == 0
    assert limits.try_take("a")


@pytest.mark.parametrize("taken", ["", "b"])
def test_giving_back_what_nobody_took_is_a_bug(taken):
    limits = Limits(2)
    if taken:
        limits.try_take(taken)
    with pytest.raises(AssertionError, match="a slot of 'a' was given back"):
        limits.give_back("a")
    assert limits.taken == len(taken)


def test_free_is_what_is_left_of_the_place_and_of_the_job():
    limits = Limits(3)
    limits.set_place("a", 2)
    assert (limits.free("a"), limits.free("b")) == (2, 3)
    limits.try_take("a")
    assert (limits.free("a"), limits.free("b")) == (1, 2)
    limits.try_take("b")
    limits.try_take("b")
    assert (limits.free("a"), limits.free("b")) == (0, 0)


def test_a_place_can_shrink_below_what_runs_there():
    limits = Limits(3)
    limits.try_take("a")
    limits.try_take("a")
    limits.set_place("a", 1)
    assert limits.free("a") == 0
    limits.give_back("a")
    assert not limits.try_take("a")
