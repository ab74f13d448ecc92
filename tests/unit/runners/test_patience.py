"""Starts that lack something for the moment."""

from __future__ import annotations

import errno
import os

import pytest

from nrunner.runners import patience as module
from nrunner.runners.patience import PAUSE, Patience


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def lack(number: int = errno.EAGAIN) -> OSError:
    return OSError(number, os.strerror(number))


def test_what_is_short_may_be_there_a_little_later(clock):
    patience = Patience()
    assert not patience.is_waiting
    assert patience.hopes((1, 1), lack())
    assert patience.is_waiting
    clock.now += PAUSE
    assert not patience.is_waiting


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENOSPC, errno.EIO])
def test_what_will_not_come_is_not_waited_for(clock, number):
    assert not Patience().hopes((1, 1), lack(number))


def test_hope_ends(clock):
    patience = Patience()
    tries = 0
    while patience.hopes((1, 1), lack(errno.EMFILE)):
        clock.now += PAUSE
        tries += 1
    assert 40 < tries < 60
    assert not patience.is_waiting


def test_each_waits_for_itself_until_one_has_waited_in_vain(clock):
    patience = Patience()
    assert patience.hopes((1, 1), lack())
    clock.now += 4
    assert patience.hopes((2, 1), lack())
    clock.now += 2
    assert not patience.hopes((1, 1), lack())
    assert not patience.hopes((2, 1), lack())
    assert not patience.hopes((3, 1), lack())
    assert patience


def test_whoever_is_started_gives_hope_to_the_others(clock):
    patience = Patience()
    assert patience.hopes((1, 1), lack())
    clock.now += 6
    assert not patience.hopes((1, 1), lack())
    patience.forget((2, 1))
    assert not patience
    assert patience.hopes((3, 1), lack())
