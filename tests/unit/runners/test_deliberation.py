"""Verdicts that are found in a thread: heard from the loop, once, whatever they are."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runners.base import Outcome
from nrunner.runners.deliberation import Verdict, deliberate
from nrunner.runners.loop import Loop


def heard(judge: Callable[[], Outcome], *, meanwhile: Callable[[], None] = lambda: None) -> Verdict:
    """Return what is heard of a verdict; no file stays open for it."""
    loop = Loop()
    verdicts: list[Verdict] = []
    before = set(Path("/proc/self/fd").iterdir())
    deliberate(loop, judge, verdicts.append)
    assert verdicts == [], "it was told before the loop had a turn"
    meanwhile()
    while not verdicts:
        loop.run_once()
    assert set(Path("/proc/self/fd").iterdir()) <= before
    (verdict,) = verdicts
    return verdict


def test_a_verdict_is_found_while_the_loop_goes_on():
    going_on = threading.Event()

    def judge() -> Outcome:
        assert going_on.wait(10), "whoever asked for it waited"
        return Outcome(Result.FAIL, "not ok 3")

    assert heard(judge, meanwhile=going_on.set)() == Outcome(Result.FAIL, "not ok 3")


def test_what_kept_a_verdict_from_being_found_is_raised_where_it_is_asked_for():
    def judge() -> Outcome:
        raise RunnerError("no such key")

    with pytest.raises(RunnerError, match="no such key"):
        heard(judge)()


def test_nothing_is_heard_of_a_verdict_that_was_given_up():
    loop = Loop()
    verdicts: list[Verdict] = []
    found = threading.Event()
    before = set(Path("/proc/self/fd").iterdir())

    def judge() -> Outcome:
        assert found.wait(10)
        return Outcome(Result.PASS)

    deliberation = deliberate(loop, judge, verdicts.append)
    assert deliberation is not None
    deliberation.abandon()
    (thread,) = (each for each in threading.enumerate() if each.name == "deliberation")
    found.set()
    thread.join()
    assert set(Path("/proc/self/fd").iterdir()) <= before
    loop.after(0.0, lambda: None)
    loop.run_once()
    assert verdicts == []


def test_a_verdict_is_found_where_there_can_be_no_thread(monkeypatch):
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert heard(lambda: Outcome(Result.PASS))() == Outcome(Result.PASS)


def test_a_verdict_is_found_where_no_file_can_be_opened(monkeypatch):
    loop = Loop()
    verdicts: list[Verdict] = []

    def refuse(_flags: int) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pipe2", refuse)
    deliberate(loop, lambda: Outcome(Result.PASS), verdicts.append)
    assert [verdict() for verdict in verdicts] == [Outcome(Result.PASS)]
