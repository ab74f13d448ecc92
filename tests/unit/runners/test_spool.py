"""Events are kept until they are acknowledged, and replayed in order."""

from __future__ import annotations

import pytest

from nrunner.runners.spool import Spool


@pytest.fixture
def spool():
    spool = Spool()
    for number in range(1, 6):
        assert spool.next_number() == number
        spool.add(b"%d" % number)
    return spool


def test_numbers_have_no_gaps(spool):
    assert spool.last == 5
    spool.acknowledge(5)
    assert spool.next_number() == 6


def test_what_is_acknowledged_is_dropped(spool):
    spool.acknowledge(3)
    assert len(spool) == 2
    assert spool.replay(0) == [b"4", b"5"]


@pytest.mark.parametrize("number", [-1, 0])
def test_an_acknowledgement_of_nothing_drops_nothing(spool, number):
    spool.acknowledge(number)
    assert len(spool) == 5


def test_an_acknowledgement_may_come_twice_or_of_the_future(spool):
    spool.acknowledge(2)
    spool.acknowledge(1)
    assert len(spool) == 3
    spool.acknowledge(99)
    assert len(spool) == 0
    assert spool.next_number() == 6


def test_a_replay_begins_after_the_last_one_that_is_known(spool):
    assert spool.replay(3) == [b"4", b"5"]
    assert spool.replay(5) == []
    assert len(spool) == 5, "a replay drops nothing"
