"""Who may start where, and how much room is left."""

from __future__ import annotations

from nrunner.limits import Limits
from nrunner.roster import Roster
from nrunner.runnable import Runnable
from nrunner.task import Task


def task(number, series=""):
    return Task(number, f"{number}-noop", Runnable("noop"), series=series)


def roster_of(*, most=9, together=1, **slots):
    limits = Limits(most)
    for place, count in slots.items():
        limits.set_place(place, count)
    return Roster(limits, together)


def popped(roster):
    """Start whoever may start now; return the numbers."""
    numbers = []
    while (one := roster.pop()) is not None:
        numbers.append(one.number)
    return numbers


def test_a_place_starts_as_many_as_it_has_slots():
    roster = roster_of(here=2, there=1)
    for number in (1, 2, 3):
        roster.add(task(number), "here", alone=False)
    roster.add(task(4), "there", alone=False)
    assert popped(roster) == [1, 2, 4]
    assert list(roster) == [3]
    assert roster.waiting == 1
    roster.give_back(task(1), "here")
    assert popped(roster) == [3]


def test_who_has_to_be_alone_waits_for_all_others_and_keeps_them_out():
    roster = roster_of(here=2, there=1)
    roster.add(task(1), "here", alone=True)
    roster.add(task(2), "here", alone=False)
    assert popped(roster) == [2]
    roster.give_back(task(2), "here")
    assert popped(roster) == [1]
    roster.add(task(3), "here", alone=False)
    roster.add(task(4), "there", alone=False)
    assert popped(roster) == [4]
    assert roster.room("here") == 0
    roster.give_back(task(1), "here")
    assert popped(roster) == [3]


def test_room_is_what_nobody_has_or_waits_for():
    roster = roster_of(here=4)
    assert roster.room("here") == 4
    roster.add(task(1), "here", alone=False)
    roster.add(task(2), "here", alone=False)
    roster.remove(task(2), "here", alone=False)
    assert roster.room("here") == 3
    assert popped(roster) == [1]
    roster.add(task(3), "here", alone=True)
    assert roster.room("here") == 2


def test_members_of_a_series_that_have_to_wait_for_each_other_take_no_room():
    roster = roster_of(here=4)
    for number in (1, 2, 3):
        roster.add(task(number, "s"), "here", alone=False)
    assert popped(roster) == [1]
    assert roster.room("here") == 3
