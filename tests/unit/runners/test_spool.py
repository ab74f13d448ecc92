"""Events are kept until they are acknowledged, and replayed in order."""

from __future__ import annotations

import pytest

from nrunner.runners.spool import Spool, read_remains


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


def test_what_is_kept_outlives_the_agent(tmp_path):
    path = str(tmp_path / "spool")
    spool = Spool(path)
    for number in (1, 2, 3):
        spool.add(b'{"seq":%d}\n' % number)
    spool.acknowledge(1)
    left = read_remains(path)
    assert left is not None
    assert [head["seq"] for head in left.events][-2:] == [2, 3]


def test_who_was_about_to_start_is_told_until_it_is_known_that_it_did(tmp_path):
    path = str(tmp_path / "spool")
    spool = Spool(path)
    spool.take(1, 1)
    spool.take(2, 1)
    spool.add(b'{"seq":1}\n', (1, 1))
    left = read_remains(path)
    assert left is not None
    assert (2, 1) in left.taken


def test_what_is_needed_outlives_any_number_of_acknowledged_events(tmp_path):
    path = str(tmp_path / "spool")
    spool = Spool(path)
    spool.take(7, 2)
    for number in range(1, 20_001):
        spool.add(b'{"seq":%d,"filling":"%s"}\n' % (number, b"x" * 80))
        spool.acknowledge(number - 1)
    left = read_remains(path)
    assert left is not None
    assert left.taken == {(7, 2)}
    assert left.events[-1]["seq"] == 20_000
    assert len(left.events) < 20_000


@pytest.mark.parametrize("heard", [True, False])
def test_a_spool_leaves_its_file_only_for_what_nobody_has_heard(tmp_path, heard):
    path = str(tmp_path / "spool")
    spool = Spool(path)
    spool.add(b'{"seq":1}\n')
    if heard:
        spool.acknowledge(1)
    spool.close()
    assert (read_remains(path) is None) is heard


def test_the_oldest_event_that_is_kept_is_told(spool):
    assert spool.first == 1
    spool.acknowledge(3)
    assert spool.first == 4
    spool.acknowledge(5)
    assert spool.first == 6
