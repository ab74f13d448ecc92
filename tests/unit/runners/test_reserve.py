"""Who stands by, and who is not wanted any more."""

from __future__ import annotations

import pytest

from nrunner.runnable import Requirement, Runnable
from nrunner.runners.attempt import Attempt, Order
from nrunner.runners.reserve import Reserve, Unwanted

WHY = Unwanted("cancelled", "cancelled", "somebody said so")


def order(task: int, **more) -> Order:
    return Order(task, 1, f"{task}-x", Runnable("python-unittest", "x"), "/log", **more)


@pytest.fixture
def reserve():
    reserve = Reserve()
    reserve.most = 2
    return reserve


def test_no_more_stand_by_than_may(reserve):
    for task in (1, 2):
        assert reserve.may_take(order(task))
        reserve.add(Attempt(order(task)))
    assert not reserve.may_take(order(3))
    assert len(reserve) == 2


@pytest.mark.parametrize(
    "special",
    [
        order(-1),
        order(1, is_check=True),
        order(1, series="a"),
        order(1, needs=(Requirement("core", {"name": "x"}),)),
    ],
    ids=["an errand", "a check", "one of a series", "one that is told of what it requires"],
)
def test_who_needs_more_than_a_fork_does_not_stand_by(reserve, special):
    assert not reserve.may_take(special)


def test_an_order_that_could_not_stand_by_is_not_tried_again_and_again(reserve):
    reserve.pass_over(order(1))
    assert not reserve.may_take(order(1))
    assert reserve.may_take(order(2))


def test_whoever_came_first_and_is_wanted_is_the_first(reserve):
    first, second = Attempt(order(1)), Attempt(order(2))
    reserve.add(first)
    reserve.add(second)
    assert reserve.first() is first
    assert reserve.discard(first, WHY)
    assert not reserve.discard(first, Unwanted("infra", "orphaned", "later"))
    assert reserve.first() is second
    assert list(reserve) == [first, second]
    assert reserve.remove(first) == WHY
    assert reserve.remove(second) is None
    assert reserve.first() is None
    assert not reserve
