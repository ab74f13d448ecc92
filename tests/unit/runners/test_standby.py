"""A request that waits in a zygote, and when its turn comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nrunner.runners.standby import Standby

WAITING = ({"number": 7}, [])


@pytest.fixture
def standby():
    standby = Standby(os.getpid())
    yield standby
    standby.close()


@pytest.fixture
def orphan():
    """What begins a process that is our child until the end of the test."""
    begun = []

    def begin():
        begun.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return begun[-1]

    yield begin
    for each in begun:
        each.communicate()


def test_what_waits_goes_on_as_soon_as_a_test_has_left_nothing(standby, orphan):
    orphan()  # somebody else's
    standby.count()
    standby.hold(WAITING)
    standby.ended()
    assert standby.follower() is WAITING
    assert standby.follower() is None


def test_what_waits_goes_on_by_itself_not_before_what_a_test_left_has_ended(standby, orphan):
    standby.count()
    standby.hold(WAITING)
    orphan()
    standby.ended()
    assert standby.follower() is None
    assert standby.take() is WAITING


def test_what_was_left_before_a_test_began_is_none_of_its_business(standby, orphan):
    standby.count()
    orphan()
    standby.ended()
    assert standby.follower() is None
    standby.count()
    standby.hold(WAITING)
    standby.ended()
    assert standby.follower() is WAITING


def test_of_two_tests_the_one_that_left_something_keeps_the_place_of_the_other(standby, orphan):
    standby.count()
    orphan()
    standby.count()
    standby.hold(WAITING)
    standby.ended()
    assert standby.follower() is None


def test_after_a_test_that_was_killed_nothing_goes_on_by_itself(standby):
    standby.count()
    standby.hold(WAITING)
    standby.ended()
    assert standby.follower(may_go=False) is None
    assert standby.take() is WAITING


def test_others_that_end_meanwhile_keep_nobody_waiting(standby, orphan):
    other = orphan()
    orphan()
    standby.count()
    standby.hold(WAITING)
    other.communicate()
    standby.ended()
    assert standby.follower() is WAITING


def test_nothing_goes_on_by_itself_where_nobody_can_tell_what_was_left():
    standby = Standby(0)  # there is no such process
    standby.count()
    standby.hold(WAITING)
    standby.ended()
    assert standby.follower() is None
    standby.close()


def test_a_fork_has_nothing_of_what_waits(standby):
    files = list(os.pipe())
    standby.hold(({"number": 7}, files))
    standby.count()
    standby.clear()
    assert standby.running == 0
    assert standby.take() is None
    for number in files:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(number)


def test_a_file_of_a_test_is_not_closed_for_ours():
    standby = Standby(os.getpid())
    number = standby._list
    with Path(os.devnull).open("rb") as other:
        os.dup2(other.fileno(), number)  # as who has closed all files and opened another
        standby.close()
        os.fstat(number)
        os.close(number)
