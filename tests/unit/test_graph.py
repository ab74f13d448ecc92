"""Order of suites, and requirements that are shared."""

from __future__ import annotations

import pytest

from nrunner.graph import Followers, Order, Preparations
from nrunner.runnable import Requirement, Runnable
from nrunner.task import Task

X, Y = Requirement("file", "x"), Requirement("file", "y")


def tasks(*suites):
    return [
        Task(number, f"{number}-noop", Runnable("noop"), suite=suite)
        for number, suite in enumerate(suites, 1)
    ]


def test_the_tasks_of_the_first_suite_wait_for_nothing():
    assert list(Order(tasks("b", "a", "b"), in_order=True).first()) == [1, 3]


def test_all_tasks_wait_for_nothing_where_suites_go_together():
    order = Order(tasks("b", "a", "b"), in_order=False)
    assert list(order.first()) == [1, 2, 3]
    assert [list(order.ended(task)) for task in tasks("b", "a", "b")] == [[], [], []]


def test_no_tasks_wait_where_there_are_none():
    assert list(Order([], in_order=True).first()) == []


def test_the_last_task_of_a_suite_frees_the_next_one():
    some = tasks("a", "a", "b", "c")
    order = Order(some, in_order=True)
    assert list(order.ended(some[1])) == []
    assert list(order.ended(some[0])) == [3]
    assert list(order.ended(some[2])) == [4]
    assert list(order.ended(some[3])) == []


def test_a_suite_that_ended_before_its_turn_is_passed_over():
    some = tasks("a", "b", "c")
    order = Order(some, in_order=True)
    assert list(order.ended(some[1])) == []
    # Its own task is named once more; whoever asked knows that it is settled.
    assert list(order.ended(some[0])) == [2, 3]


def test_who_needs_nothing_can_go():
    assert Preparations().need(1, "here", ()) == (True, [])


def test_the_first_who_needs_something_begins_it_and_others_join():
    preparations = Preparations()
    assert preparations.need(1, "here", [X]) == (False, [X])
    assert preparations.need(2, "here", [X]) == (False, [])
    assert preparations.met("here", X.key) == [1, 2]
    assert preparations.need(3, "here", [X]) == (True, [])


def test_places_share_nothing():
    preparations = Preparations()
    preparations.need(1, "here", [X])
    assert preparations.need(2, "there", [X]) == (False, [X])
    assert preparations.met("here", X.key) == [1]


def test_a_task_waits_for_the_last_of_its_requirements():
    preparations = Preparations()
    assert preparations.need(1, "here", [X, Y]) == (False, [X, Y])
    assert preparations.met("here", Y.key) == []
    assert preparations.met("here", X.key) == [1]


def test_a_requirement_given_twice_is_needed_once():
    preparations = Preparations()
    assert preparations.need(1, "here", [X, X]) == (False, [X])
    assert preparations.met("here", X.key) == [1]


def test_a_failure_concerns_all_who_wait_and_is_not_remembered():
    preparations = Preparations()
    preparations.need(1, "here", [X, Y])
    preparations.need(2, "here", [X])
    preparations.need(3, "here", [Y])
    assert preparations.failed("here", X.key) == [1, 2]
    assert preparations.met("here", Y.key) == [3]
    assert preparations.need(4, "here", [X]) == (False, [X])


def test_who_was_cancelled_waits_no_longer():
    preparations = Preparations()
    preparations.need(1, "here", [X])
    preparations.need(2, "here", [X])
    preparations.forget(1)
    assert preparations.met("here", X.key) == [2]


def test_forgetting_who_never_waited_does_nothing():
    preparations = Preparations()
    preparations.forget(1)
    assert preparations.need(1, "here", [X]) == (False, [X])


@pytest.mark.parametrize("answer", [Preparations.met, Preparations.failed])
def test_an_answer_that_nobody_waits_for_concerns_nobody(answer):
    assert answer(Preparations(), "here", X.key) == []


def test_what_was_met_twice_is_met_once():
    preparations = Preparations()
    preparations.need(1, "here", [X])
    assert preparations.met("here", X.key) == [1]
    assert preparations.met("here", X.key) == []


def test_what_held_at_a_place_that_is_left_has_to_be_met_again():
    preparations = Preparations()
    for place in ("here", "there"):
        preparations.need(1, place, [X])
        preparations.met(place, X.key)
    assert preparations.holds("here", [X.key])
    assert preparations.leave("here") == {X.key}
    assert not preparations.holds("here", [X.key])
    assert preparations.holds("there", [X.key])
    assert preparations.need(2, "here", [X]) == (False, [X])
    assert preparations.need(3, "there", [X]) == (True, [])


def test_nothing_holds_without_being_asked_for_and_nothing_always_does():
    preparations = Preparations()
    assert preparations.holds("here", [])
    assert not preparations.holds("here", [X.key])
    preparations.need(1, "here", [X])
    assert not preparations.holds("here", [X.key])


def test_whoever_waits_at_a_place_that_is_left_still_gets_an_answer():
    preparations = Preparations()
    preparations.need(1, "here", [X])
    assert preparations.leave("here") == set()
    assert preparations.failed("here", X.key) == [1]


# Series.


def series(*names):
    return [
        Task(number, f"{number}-noop", Runnable("noop"), series=name)
        for number, name in enumerate(names, 1)
    ]


def test_the_next_of_a_series_follows():
    some = series("a", "b", "", "a")
    followers = Followers(some)
    assert followers.next_of(some[0], lambda _: True) is some[3]
    assert followers.next_of(some[1], lambda _: True) is None
    assert followers.next_of(some[2], lambda _: True) is None
    assert followers.next_of(some[3], lambda _: True) is None


def test_who_may_not_follow_is_passed_over():
    some = series("a", "a", "a")
    followers = Followers(some)
    assert followers.next_of(some[0], lambda number: number != 2) is some[2]
    assert followers.next_of(some[0], lambda number: number == 1) is None
