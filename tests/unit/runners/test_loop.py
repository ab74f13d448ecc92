"""The agent's loop: timers, files and signals, each heard once and none forgotten."""

from __future__ import annotations

import os
import signal
import time

import pytest

from nrunner.runners import loop as module
from nrunner.runners.loop import Loop


class Clock:
    """A monotonic clock that tests set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def loop():
    numbers = (signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    loop = Loop()
    yield loop
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    loop._poll.close()
    os.close(loop._woken)
    os.close(loop._wake)


@pytest.fixture
def pipe():
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    for end in ends:
        os.close(end)


def wake(loop: Loop) -> None:
    """Have the next turn not wait."""
    os.write(loop._wake, b"x")


def test_timers_fire_in_order_when_they_are_due(loop, clock):
    fired: list[str] = []
    loop.after(3, lambda: fired.append("late"))
    loop.after(1, lambda: fired.append("early"))
    loop.at(102, lambda: fired.append("middle"))
    for now, expected in ((100.5, []), (101, ["early"]), (103, ["early", "middle", "late"])):
        clock.now = now
        wake(loop)
        loop.run_once()
        assert fired == expected


def test_a_timer_that_was_cancelled_does_not_fire_and_keeps_nothing_alive(loop, clock):
    fired: list[str] = []
    timer = loop.after(1, lambda: fired.append("x"))
    timer.cancel()
    assert timer.callback is None
    clock.now = 105
    loop.run_once()
    assert fired == []


def test_a_timer_may_set_the_next_one(loop, clock):
    fired: list[str] = []
    loop.after(1, lambda: loop.after(0, lambda: fired.append("second")))
    clock.now = 101
    loop.run_once()
    assert fired == ["second"]


def test_waiting_ends_when_a_timer_is_due(loop):
    fired: list[float] = []
    began = time.monotonic()
    loop.after(0.02, lambda: fired.append(time.monotonic() - began))
    while not fired:
        loop.run_once()
    assert 0.02 <= fired[0] < 2


def test_a_file_is_read_while_it_is_watched(loop, pipe):
    reading, writing = pipe
    got: list[bytes] = []
    loop.watch(reading, lambda: got.append(os.read(reading, 10)))
    os.write(writing, b"a")
    loop.run_once()
    assert got == [b"a"]
    loop.unwatch(reading)
    loop.unwatch(reading)
    os.write(writing, b"b")
    wake(loop)
    loop.run_once()
    assert got == [b"a"]


def test_a_callback_may_end_the_watch_of_another_file_that_is_ready(loop, pipe):
    reading, writing = pipe
    other_reading, other_writing = os.pipe()
    got: list[int] = []

    def only_one(own: int, other: int) -> None:
        got.append(own)
        loop.unwatch(other)
        os.read(own, 10)

    loop.watch(reading, lambda: only_one(reading, other_reading))
    loop.watch(other_reading, lambda: only_one(other_reading, reading))
    os.write(writing, b"a")
    os.write(other_writing, b"b")
    loop.run_once()
    assert len(got) == 1
    os.close(other_reading)
    os.close(other_writing)


def test_a_signal_is_heard_from_the_loop_and_not_before(loop):
    heard: list[int] = []
    loop.on_signal(signal.SIGUSR1, lambda: heard.append(1))
    os.kill(os.getpid(), signal.SIGUSR1)
    assert heard == []
    loop.run_once()
    assert heard == [1]


def test_a_signal_that_comes_while_signals_are_counted_is_not_forgotten(loop, monkeypatch):
    """It may come between any two steps; here it comes in the worst one."""
    heard: list[int] = []
    loop.on_signal(signal.SIGUSR1, lambda: heard.append(1))
    once = [True]

    def counted(numbers: list[int]) -> set[int]:
        found = set(numbers)
        if once:
            once.clear()
            os.kill(os.getpid(), signal.SIGUSR1)
        return found

    monkeypatch.setitem(module.__dict__, "set", counted)
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run_once()
    loop.run_once()
    assert heard == [1, 1]


def test_signals_that_came_together_are_told_in_the_order_of_their_numbers(loop):
    """So whoever is killed together with what it started knows that when it hears of their ends."""
    heard: list[int] = []
    numbers = (signal.SIGCHLD, signal.SIGTERM)
    for number in numbers:
        loop.on_signal(number, lambda number=number: heard.append(number))
    for number in numbers:
        os.kill(os.getpid(), number)
    loop.run_once()
    assert heard == [signal.SIGTERM, signal.SIGCHLD]


def test_held_timers_have_their_time_left_when_they_are_released(loop, clock):
    fired: list[str] = []
    loop.after(3, lambda: fired.append("before"))
    loop.real_after(4, lambda: fired.append("real"))
    clock.now += 1
    loop.hold()
    loop.hold()
    clock.now += 5
    loop.after(1, lambda: fired.append("meanwhile"))
    wake(loop)
    loop.run_once()
    assert fired == ["real"]
    clock.now += 100
    loop.release()
    wake(loop)
    loop.run_once()
    assert fired == ["real"]
    for seconds, count in ((0.9, 1), (0.1, 2), (0.9, 2), (0.1, 3)):
        clock.now += seconds
        wake(loop)
        loop.run_once()
        assert len(fired) == count
    assert fired == ["real", "meanwhile", "before"]


def test_a_timer_can_be_cancelled_while_it_is_held(loop, clock):
    fired: list[str] = []
    timer = loop.after(1, lambda: fired.append("cancelled"))
    loop.hold()
    timer.cancel()
    loop.release()
    clock.now += 10
    wake(loop)
    loop.run_once()
    assert fired == []


def test_nothing_is_released_that_is_not_held(loop, clock):
    fired: list[str] = []
    loop.after(1, lambda: fired.append("once"))
    loop.release()
    clock.now += 1
    wake(loop)
    loop.run_once()
    assert fired == ["once"]


def test_a_timer_waits_for_a_few_of_many_files_and_each_of_them_has_its_turn(loop, clock):
    """Each of two hundred peers talks without end, and to listen to one takes a while."""
    pipes = [os.pipe() for _ in range(200)]
    heard: list[int] = []

    def hear(number: int) -> None:
        heard.append(number)
        clock.now += 0.001

    for number, (reading, writing) in enumerate(pipes):
        os.write(writing, b"x")
        loop.watch(reading, lambda number=number: hear(number))
    late: list[float] = []
    due = clock.now + 0.001
    loop.at(due, lambda: late.append(clock.now - due))
    loop.run_once()
    assert len(late) == 1
    assert late[0] < 0.05
    for _ in range(15):
        loop.run_once()
    assert set(heard) == set(range(200))
    for ends in pipes:
        for end in ends:
            os.close(end)


def test_a_timer_may_be_a_year_away(loop):
    loop.after(365 * 86400, lambda: None)
    wake(loop)
    loop.run_once()
