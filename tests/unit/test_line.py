"""Who waits for a slot, and how a series keeps its members together."""

from __future__ import annotations

from nrunner.line import Line
from nrunner.runnable import Runnable
from nrunner.task import Task


def tasks(*series):
    return [
        Task(number, f"{number}-noop", Runnable("noop"), series=name)
        for number, name in enumerate(series, 1)
    ]


def line_of(some, together=1):
    line = Line(together)
    for task in some:
        line.add(task)
    return line


def ordered(line):
    """Order whoever may be ordered now; return the numbers."""
    numbers = []
    while (task := line.first()) is not None:
        line.order(task)
        numbers.append(task.number)
    return numbers


def test_tasks_without_a_series_go_in_order():
    assert ordered(line_of(tasks("", "", ""))) == [1, 2, 3]


def test_of_a_series_only_so_many_are_ordered_at_once():
    line = line_of(tasks("a", "a", "a", "b", ""), together=2)
    assert ordered(line) == [1, 2, 4, 5]
    assert list(line) == [3]


def test_the_next_of_a_series_comes_before_all_others():
    some = tasks("a", "a", "", "")
    line = line_of(some)
    line.order(line.first())
    assert line.first() is some[2]
    line.done(some[0])
    assert ordered(line) == [2, 3, 4]


def test_who_does_not_wait_any_more_is_not_ordered():
    some = tasks("a", "a", "a", "")
    line = line_of(some)
    line.order(line.first())
    assert line.first() is some[3]
    line.remove(some[1])
    line.remove(some[3])
    line.done(some[0])
    assert ordered(line) == [3]
    assert list(line) == []
