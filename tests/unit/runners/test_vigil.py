"""When a runner executable that lives is given up, one sight after the other."""

from __future__ import annotations

import os
import signal

import pytest

from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners import procfs
from nrunner.runners.attempt import Attempt, Limits, Order, Stage
from nrunner.runners.base import Outcome
from nrunner.runners.loop import Timer
from nrunner.runners.procfs import ended_children
from nrunner.runners.vigil import Judgement, Sight, Vigil
from tests.functional.sandbox import wait_until

ABORTED = ((7, signal.SIGABRT),)
LEFT = ((7, 3 << 8),)
WELL = ((7, 0),)


def first_reason(sights, grace: float = 1.0) -> tuple[int, str]:
    """Return after how many sights there is a reason, and which."""
    judgement = Judgement(grace)
    for number, sight in enumerate(sights, 1):
        reason = judgement.add(sight)
        if reason:
            return number, reason
    return 0, ""


@pytest.mark.parametrize(
    ("ended", "how"),
    [(ABORTED, "was killed by signal 6 (SIGABRT)"), (LEFT, "exited with status 3")],
)
def test_a_runner_whose_child_ended_badly_has_a_grace_to_say_so(ended, how):
    sights = [Sight(1, number, ended) for number in range(100)]
    number, reason = first_reason(sights)
    assert number == 5  # the first one is news, four make a grace
    assert reason == f"its process {how}, and its runner said nothing more for 1 s"


def test_a_child_that_ended_well_may_have_been_a_helper():
    sights = [Sight(1, number, WELL) for number in range(100)]
    number, reason = first_reason(sights)
    assert number == 49
    assert reason.startswith("its process exited with status 0, and its runner said nothing")


def test_of_several_children_the_one_that_ended_badly_counts():
    _, reason = first_reason([Sight(1, n, WELL + ABORTED) for n in range(9)])
    assert "signal 6" in reason


@pytest.mark.parametrize(
    "sights",
    [
        [Sight(n, n, ABORTED) for n in range(100)],
        [Sight(1, n, ABORTED if n % 4 else None) for n in range(100)],
        [Sight(1, n, ABORTED, cpu=n * 0.2) for n in range(100)],
        [Sight(1, n, ABORTED * n) for n in range(100)],
    ],
    ids=["speaks", "has a child that lives", "computes", "has ever more children"],
)
def test_who_still_does_something_is_not_given_up(sights):
    assert first_reason(sights) == (0, "")


def test_heartbeats_that_stop_are_missed_after_a_while():
    beating = [Sight(1, n) for n in range(3)]
    number, reason = first_reason([*beating, *[Sight(1, 2)] * 100])
    assert number == 3 + 48
    assert reason == "its runner had its last heartbeat 12 s ago, and goes on running"


@pytest.mark.parametrize("beats", [0, 1])
def test_who_never_had_a_heartbeat_may_be_silent(beats):
    assert first_reason([Sight(1, beats)] * 1000) == (0, "")


def test_who_has_hung_up_and_goes_on_without_doing_anything_is_given_up():
    number, reason = first_reason([Sight(1, 0), *[Sight(1, 0, hung_up=True)] * 100])
    assert number == 49
    assert reason == "its runner hung up 12 s ago, and goes on running"


@pytest.mark.parametrize(
    "sights",
    [
        [Sight(1, 0, None, hung_up=True)] * 100,
        [Sight(1, 0, cpu=n * 0.2, hung_up=True) for n in range(100)],
        [Sight(n // 40, 0, hung_up=True) for n in range(100)],
    ],
    ids=["has a child that lives", "computes", "speaks by another connection now and then"],
)
def test_who_has_hung_up_may_have_its_reasons(sights):
    assert first_reason(sights) == (0, "")


def test_no_grace_is_so_short_that_nobody_could_speak_within_it():
    assert Judgement(0).every == pytest.approx(0.025)


class Looks:
    """A loop whose time passes when it is told to, and a runner whose heartbeats have stopped."""

    def __init__(self) -> None:
        self.due: list[Timer] = []
        self.given_up: list[str] = []
        order = Order(1, 1, "1-x", Runnable("x"), "/log", Limits(grace=0))
        self.attempt = Attempt(order)
        self.attempt.pid = os.getpid()
        self.words, self.beats, self.was_left = 1, 2, False
        self.vigil = Vigil(self, self.attempt, self, lambda _, reason: self.given_up.append(reason))

    def after(self, _delay: float, callback) -> Timer:
        timer = Timer(0, callback)
        self.due = [timer]
        return timer

    def drain(self) -> None:
        """There is nothing to be read."""

    def look(self, times: int) -> None:
        for _ in range(times):
            timer, self.due = self.due[0], []
            if timer.callback is None:
                self.due = [timer]
                return
            timer.callback()
            if not self.due:
                return


@pytest.fixture
def looks(monkeypatch):
    monkeypatch.setattr(procfs, "ended_children", lambda _: ())
    return Looks()


def test_a_runner_that_is_given_up_is_looked_at_no_more(looks):
    looks.look(100)
    ago = "its runner had its last heartbeat 1.2 s ago, and goes on running"
    assert looks.given_up == [ago]
    assert looks.due == []


@pytest.mark.parametrize("what", ["it has finished", "its end has come", "the vigil is over"])
def test_who_is_over_is_not_given_up(looks, what):
    if what == "it has finished":
        looks.attempt.said = Outcome(Result.PASS)
    elif what == "its end has come":
        looks.attempt.stage = Stage.KILLING
    else:
        looks.vigil.end()
    looks.look(100)
    assert looks.given_up == []


def test_what_was_said_and_not_read_yet_counts(looks, monkeypatch):
    monkeypatch.setattr(looks, "drain", lambda: setattr(looks, "words", looks.words + 1))
    looks.look(100)
    assert looks.given_up == []


def test_whom_somebody_debugs_is_left_alone_and_has_all_its_time_afterwards(looks, monkeypatch):
    monkeypatch.setattr(procfs, "tracer_of", lambda _: 7)
    looks.look(100)
    monkeypatch.undo()
    monkeypatch.setattr(procfs, "ended_children", lambda _: ())
    looks.look(40)
    assert looks.given_up == []
    looks.look(60)
    assert len(looks.given_up) == 1


@pytest.fixture
def child():
    """A child that has ended, and that nobody waits for."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "kill -ABRT $$"], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    yield pid
    os.waitpid(pid, 0)


def test_children_that_ended_are_seen_with_how_they_ended(child):
    [(pid, status)] = ended_children(os.getpid())
    assert (pid, status & 0x7F) == (child, signal.SIGABRT)


def test_none_counts_as_ended_while_another_lives(child):
    other = os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)
    assert ended_children(os.getpid()) is None
    os.kill(other, signal.SIGKILL)
    wait_until(lambda: len(ended_children(os.getpid()) or ()) == 2, "both have ended")
    os.waitpid(other, 0)


def test_who_has_no_children_or_is_gone_has_none_that_ended(child):
    assert ended_children(child) == ()
    assert ended_children(2**22 + 1) == ()
