"""Orders that wait in an agent."""

from __future__ import annotations

from nrunner.runnable import Runnable
from nrunner.runners.attempt import Order
from nrunner.runners.backlog import Backlog


def order(number: int, series: str = "") -> Order:
    return Order(number, 1, f"{number}-x", Runnable("noop"), "/logs", series=series)


def backlog_of(*orders: Order) -> Backlog:
    backlog = Backlog()
    for each in orders:
        backlog.add(each)
    return backlog


def popped(backlog: Backlog) -> list[int]:
    numbers = []
    while backlog.first() is not None:
        numbers.append(backlog.pop().task)
    return numbers


def test_orders_go_as_they_came_and_errands_before_them() -> None:
    assert popped(backlog_of(order(1), order(2), order(-1))) == [-1, 1, 2]


def test_a_series_that_is_open_stands_aside() -> None:
    backlog = backlog_of(order(1, "a"), order(2, "b"), order(3, "a"))
    backlog.open("a")
    backlog.add(order(4, "a"))
    assert popped(backlog) == [2]
    assert len(backlog) == 3
    taken = [backlog.pop_next("a") for _ in range(4)]
    assert [each and each.task for each in taken] == [1, 3, 4, None]


def test_what_is_left_of_a_series_comes_first() -> None:
    backlog = backlog_of(order(1, "a"), order(2, "a"), order(3))
    backlog.open("a")
    backlog.close("a")
    assert popped(backlog) == [1, 2, 3]


def test_orders_are_taken_out_wherever_they_wait() -> None:
    aside, other = order(1, "a"), order(2)
    backlog = backlog_of(aside, other)
    backlog.open("a")
    assert {each.task for each in backlog} == {1, 2}
    for each in backlog:
        backlog.remove(each)
    assert (len(backlog), backlog.first(), backlog.pop_next("a")) == (0, None, None)


def test_the_series_that_has_fewest_is_told() -> None:
    backlog = backlog_of(order(1, "a"), order(2, "a"), order(3, "b"))
    assert backlog.shortest_aside > 1000
    backlog.open("a")
    assert backlog.shortest_aside == 2
    backlog.open("b")
    assert backlog.shortest_aside == 1
