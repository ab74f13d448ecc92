"""Who is stopped, in which order, and who goes on."""

from __future__ import annotations

import signal

import pytest

from nrunner.runners import killing
from nrunner.runners.procfs import Process
from nrunner.runners.suspension import Suspension


@pytest.fixture
def sent(monkeypatch):
    """Signals that were sent, by pid."""
    sent: list[tuple[int, int]] = []

    def signal_all(processes, number):
        sent.extend((each.pid, number) for each in processes)

    monkeypatch.setattr(killing, "signal_all", signal_all)
    return sent


def process(pid: int, state: str = "S", start: int = 1) -> Process:
    return Process(pid, 1, 1, state, start)


def test_parents_stop_first_and_go_on_last(sent):
    suspension = Suspension(lambda: [process(1), process(2), process(3)])
    assert len(suspension) == 3
    suspension.end()
    assert sent == [
        *[(pid, signal.SIGSTOP) for pid in (1, 2, 3)],
        *[(pid, signal.SIGCONT) for pid in (3, 2, 1)],
    ]


def test_who_was_stopped_before_is_left_as_it_is(sent):
    Suspension(lambda: [process(1, "T"), process(2, "t"), process(3)]).end()
    assert {pid for pid, _ in sent} == {3}


def test_what_is_forked_meanwhile_is_stopped_too(sent):
    found = iter([[process(1)], [process(1), process(2)], [process(1), process(2)]])
    Suspension(lambda: next(found)).end()
    assert [pid for pid, _ in sent] == [1, 2, 2, 1]


def test_who_has_the_pid_of_another_one_that_was_stopped_is_stopped_too(sent):
    found = iter([[process(1)], [process(1, start=2)], [process(1, "T", start=2)]])
    Suspension(lambda: next(found))
    assert sent == [(1, signal.SIGSTOP)] * 2


def test_who_never_stops_forking_is_not_followed_for_ever(sent):
    pids = iter(range(1, 10_000))
    Suspension(lambda: [process(next(pids))])
    assert len(sent) == 50


def test_nobody_goes_on_twice(sent):
    suspension = Suspension(lambda: [process(1)])
    suspension.end()
    suspension.end()
    assert sent == [(1, signal.SIGSTOP), (1, signal.SIGCONT)]
