"""What signals do to a job."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from nrunner import interrupt
from nrunner.interrupt import Interrupts, stop_by_timeout, stop_by_user
from nrunner.result import Cause, Result


class Heard:
    def __init__(self) -> None:
        self.stops: list[tuple[bool, str]] = []
        self.said: list[str] = []
        self.left = 0
        self.interrupts = Interrupts(self.stop, self.said.append, self.leave)

    def stop(self, kill: bool, by: str) -> None:
        self.stops.append((kill, by))

    def leave(self) -> None:
        self.left += 1


class LeftError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def heard(monkeypatch):
    def leave(code: int) -> None:
        raise LeftError(code)

    monkeypatch.setattr(interrupt.os, "_exit", leave)
    return Heard()


def test_once_is_soft_twice_is_hard_three_times_is_at_once(heard):
    heard.interrupts.hear(signal.SIGINT)
    assert heard.stops == [(False, "by the user")]
    heard.interrupts.hear(signal.SIGTERM)
    assert heard.stops[1:] == [(True, "by SIGTERM")]
    assert heard.left == 0
    with pytest.raises(LeftError, match=r"^10$"):
        heard.interrupts.hear(signal.SIGHUP)
    assert heard.left == 1
    assert len(heard.said) == 2


def test_the_third_leaves_even_if_the_journal_cannot_be_saved(heard, monkeypatch):
    def fail() -> None:
        raise OSError("disk full")

    interrupts = Interrupts(heard.stop, heard.said.append, fail)
    interrupts.count = 2
    with pytest.raises(LeftError):
        interrupts.hear(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_heard_while_they_are_caught_and_only_then(heard, number):
    before = signal.getsignal(number)

    async def main() -> None:
        stopped = asyncio.Event()
        interrupts = Interrupts(lambda *_: stopped.set(), heard.said.append, heard.leave)
        with interrupts.caught():
            os.kill(os.getpid(), number)
            await stopped.wait()
        assert interrupts.count == 1

    asyncio.run(main())
    assert signal.getsignal(number) in (before, signal.SIG_DFL, signal.default_int_handler)


def test_what_waits_is_cancelled_and_what_runs_is_interrupted():
    soft, hard = stop_by_user(3.0), stop_by_user(3.0, kill=True, by="by SIGTERM")
    assert (soft.waiting.result, soft.waiting.cause) == (Result.CANCEL, Cause.CANCELLED)
    assert (soft.running.result, soft.running.cause) == (Result.INTERRUPT, Cause.CANCELLED)
    assert (soft.kill, hard.kill) == (False, True)
    assert hard.running.detail == "interrupted by SIGTERM"


def test_a_job_past_its_limit_interrupts_what_runs_for_that_cause():
    stop = stop_by_timeout(3.0, 2.5)
    assert (stop.waiting.result, stop.waiting.cause) == (Result.CANCEL, Cause.CANCELLED)
    assert (stop.running.result, stop.running.cause) == (Result.INTERRUPT, Cause.TIMEOUT)
    assert stop.running.detail == "past the job's 2.5 s limit"
