"""The loop's lag, with a clock that passes when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from nrunner.lag import Lag
from nrunner.testing.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def lag(clock: FakeClock) -> Lag:
    lag = Lag(lambda: clock.now)
    lag.begin()
    return lag


def waiting(
    clock: FakeClock, seconds: float, ready: tuple[str, ...] = ()
) -> Callable[[float | None], list[str]]:
    def select(timeout: float | None) -> list[str]:
        clock.now += seconds
        return [*ready]

    return select


def test_the_longest_turn_counts(lag: Lag, clock: FakeClock) -> None:
    for turn in (0.25, 0.5, 0.125):
        clock.now += turn
        lag.wait(waiting(clock, 10.0, ("ready",)), None)

    assert lag.longest() == 0.5


def test_a_turn_that_has_not_ended_counts(lag: Lag, clock: FakeClock) -> None:
    lag.wait(waiting(clock, 1.0), 1.0)
    clock.now += 0.5

    assert lag.longest() == 0.5


def test_to_wait_is_no_lag_but_to_wait_longer_than_until_a_timer_is(
    lag: Lag, clock: FakeClock
) -> None:
    lag.wait(waiting(clock, 8.0), 8.0)
    lag.wait(waiting(clock, 8.0, ("ready",)), 4.0)
    lag.wait(waiting(clock, 8.0), None)
    assert lag.longest() == 0.0

    lag.wait(waiting(clock, 8.0), 4.0)
    assert lag.longest() == 4.0


def test_what_was_before_the_beginning_does_not_count(clock: FakeClock) -> None:
    lag = Lag(lambda: clock.now)
    clock.now += 0.5
    assert lag.wait(waiting(clock, 8.0, ("ready",)), 4.0) == ["ready"]
    assert lag.longest() == 0.0

    lag.begin()
    assert lag.longest() == 0.0


def test_the_loop_that_it_makes_is_measured(clock: FakeClock) -> None:
    lag = Lag(lambda: clock.now)

    def block(seconds: float) -> None:
        clock.now += seconds

    async def main() -> float:
        clock.now += 5.0
        lag.begin()
        for seconds in (0.25, 0.5, 0.125):
            asyncio.get_running_loop().call_soon(block, seconds)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return lag.longest()

    with asyncio.Runner(loop_factory=lag.new_loop) as runner:
        assert runner.run(main()) == 0.5


def test_time_in_which_nothing_could_happen_is_no_lag(lag: Lag, clock: FakeClock) -> None:
    clock.now += 100.5
    lag.excuse(100.0)
    lag.wait(waiting(clock, 1.0), 1.0)

    assert lag.longest() == 0.5


def test_timers_are_due_later_by_what_is_excused() -> None:
    lag = Lag()
    with asyncio.Runner(loop_factory=lag.new_loop) as runner:
        loop = runner.get_loop()
        before = loop.time()
        lag.excuse(1000.0)
        assert loop.time() < before - 990
