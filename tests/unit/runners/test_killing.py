"""Whose a process is, decided from made-up tables of processes."""

from __future__ import annotations

import os
import signal
import time

import pytest

from nrunner.runners import killing, procfs
from nrunner.runners.killing import Claim, describe, members, signal_all
from nrunner.runners.procfs import Process

ME = os.getpid()
MAIN, OTHER = 1000, 2000
MARKS = {MAIN: "job:1:1", OTHER: "job:2:1"}
LATER = 1 << 40
"""A start, in ticks after boot, that comes after anything that has begun."""


def process(pid: int, parent: int, session: int = 0, state: str = "S", start: int = LATER):
    return Process(pid, parent, session or pid, state, start)


@pytest.fixture
def table(monkeypatch):
    """Return a function that sets who there is, with the marks of some."""

    def table(*processes: Process, marks: dict[int, str] | None = None, uses=()) -> None:
        known = {each.pid: each for each in (process(1, 0), process(ME, 1), *processes)}
        monkeypatch.setattr(procfs, "snapshot", lambda: known)
        monkeypatch.setattr(procfs, "mark_of", lambda pid, name: (marks or {}).get(pid))
        monkeypatch.setattr(procfs, "uses", lambda pid, folder, pipes: pid in uses)

    return table


def pids(claim: Claim | None = None, mains=MARKS) -> set[int]:
    return {each.pid for each in members(MAIN, MARKS[MAIN], mains, claim)}


def test_the_main_process_and_all_below_it_are_the_attempts(table):
    table(process(MAIN, ME), process(1001, MAIN, MAIN), process(1002, 1001, 1002))
    assert pids() == {MAIN, 1001, 1002}


def test_what_belongs_to_another_attempt_is_not_touched(table):
    table(process(MAIN, ME), process(OTHER, ME), process(2001, OTHER, OTHER))
    assert pids() == {MAIN}


def test_who_stayed_in_the_session_when_its_parents_ended_is_found(table):
    table(process(1001, ME, MAIN), process(2001, ME, OTHER))
    assert pids({}) == {1001}


def test_who_left_the_session_is_found_by_its_mark(table):
    table(
        process(1001, ME, 1001),
        process(1002, 1001, 1002),
        process(2001, ME, 2001),
        marks={1001: MARKS[MAIN], 2001: MARKS[OTHER]},
    )
    assert pids() == {1001, 1002}


def test_zombies_are_not_left_but_what_is_below_them_is(table):
    table(process(MAIN, ME, state="Z"), process(1001, MAIN, MAIN))
    assert pids() == {1001}


def test_a_pid_that_was_taken_over_by_a_stranger_is_not_the_main_process(table):
    table(process(MAIN, 1, 1))
    assert pids(mains={OTHER: MARKS[OTHER]}) == set()


def test_who_hides_from_everybody_belongs_to_the_only_one_it_can_belong_to(table):
    table(process(1001, ME, 1001))
    began = time.monotonic()
    assert pids() == set()
    assert pids(Claim("/slot", began, alone=False)) == set()
    assert pids(Claim("/slot", began, alone=True)) == {1001}


def test_who_hides_is_betrayed_by_the_files_it_has_open(table):
    table(process(1001, ME, 1001), process(1002, ME, 1002), uses={1001})
    assert pids(Claim("/slot", time.monotonic(), alone=False)) == {1001}


class Branded:
    """Brands that are worn by some, as a table."""

    def __init__(self, bearers: dict[int, tuple[int, int]]) -> None:
        self.bearer = bearers.get


def test_who_hides_is_betrayed_by_the_brand_whatever_else_runs(table):
    table(process(1001, ME), process(1002, ME), process(1003, ME), marks={1002: MARKS[MAIN]})
    brands = Branded({1001: (1, 1), 1002: (2, 1)})
    claim = Claim("/slot", time.monotonic(), alone=False, keys={(1, 1)}, brands=brands)
    assert pids(claim) == {1001}


def test_what_an_earlier_attempt_left_in_the_same_process_belongs_to_it(table):
    table(process(1001, ME), process(1002, ME), marks={1001: "job:7:1"})
    brands = Branded({1001: (7, 1), 1002: (8, 1)})
    claim = Claim("/slot", time.monotonic(), alone=True, keys={(7, 1), (1, 1)}, brands=brands)
    assert pids(claim) == {1001}


def test_who_was_there_before_is_not_blamed_on_an_attempt(table):
    table(process(1001, ME, 1001, start=10), uses={1001})
    assert pids(Claim("/slot", time.monotonic(), alone=True)) == set()


def test_who_wears_the_mark_of_another_attempt_of_the_job_is_never_adopted(table):
    table(process(1001, ME, 1001), marks={1001: "job:9:1"}, uses={1001})
    assert pids(Claim("/slot", time.monotonic(), alone=True)) == set()


@pytest.fixture
def killed(monkeypatch):
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(killing.os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


def test_a_signal_goes_to_the_process_that_was_meant(monkeypatch, killed):
    known = {5: process(5, 1, start=7), 6: process(6, 1, start=8)}
    monkeypatch.setattr(procfs, "read_process", known.get)
    signal_all([process(5, 1, start=7), process(6, 1, start=7), process(9, 1)], signal.SIGTERM)
    assert killed == [(5, signal.SIGTERM)]


@pytest.mark.parametrize(
    ("number", "sent"),
    [(signal.SIGTERM, [signal.SIGTERM, signal.SIGCONT]), (signal.SIGKILL, [signal.SIGKILL])],
)
def test_a_stopped_process_is_woken_to_hear_a_signal(monkeypatch, killed, number, sent):
    monkeypatch.setattr(procfs, "read_process", lambda pid: process(5, 1, state="T", start=7))
    signal_all([process(5, 1, start=7)], number)
    assert [number for _, number in killed] == sent


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_a_process_that_cannot_be_signalled_costs_no_other_its_signal(monkeypatch, error):
    sent: list[int] = []

    def kill(pid: int, number: int) -> None:
        if pid == 5:
            raise error
        sent.append(pid)

    monkeypatch.setattr(killing.os, "kill", kill)
    monkeypatch.setattr(procfs, "read_process", lambda pid: process(pid, 1, start=7))
    signal_all([process(5, 1, start=7), process(6, 1, start=7)], signal.SIGTERM)
    assert sent == [6]


@pytest.fixture
def signalled(monkeypatch):
    """Who is there, and which groups and processes were signalled."""
    known: dict[int, Process] = {}
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(procfs, "read_process", known.get)
    monkeypatch.setattr(killing.os, "getsid", lambda _: 1)
    monkeypatch.setattr(killing.os, "killpg", lambda group, _: sent.append(("group", group)))
    monkeypatch.setattr(killing.os, "kill", lambda pid, _: sent.append(("process", pid)))
    return known, sent


def member(pid: int, group: int, session: int) -> Process:
    return Process(pid, 1, session, "S", 7, group=group)


def test_groups_are_killed_as_a_whole_and_then_whoever_is_left(signalled):
    known, sent = signalled
    all_of_it = [member(5, 5, 5), member(6, 5, 5), member(7, 7, 5), member(8, 8, 8)]
    known.update({each.pid: each for each in all_of_it})
    killing.kill_all(all_of_it, set())
    assert sorted(each for kind, each in sent[:3]) == [5, 7, 8]
    assert {kind for kind, _ in sent[:3]} == {"group"}
    assert sent[3:] == [("process", pid) for pid in (5, 6, 7, 8)]


def test_no_group_is_killed_that_others_may_be_in(signalled):
    known, sent = signalled
    # In our own session, in that of another attempt, and one whose pid is somebody else's now.
    some = [member(5, 5, 1), member(6, 6, 9), member(7, 7, 7)]
    known.update({5: some[0], 6: some[1], 7: Process(7, 1, 7, "S", 8, group=7)})
    killing.kill_all(some, {9})
    assert sent == [("process", 5), ("process", 6)]


def test_a_leak_is_named_with_its_command_and_age():
    me = procfs.read_process(ME)
    told = describe(me)
    assert told["pid"] == ME
    assert "py" in told["command"]
    assert 0 <= told["age"] < 86400
