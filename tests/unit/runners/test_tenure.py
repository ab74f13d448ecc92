"""For how long an agent has a machine, by what is heard of its controller."""

from __future__ import annotations

from typing import Any

import pytest

from nrunner.runners import tenure as module
from nrunner.runners.tenure import Tenure


class Clock:
    """A loop whose timers are due when the test says so, and the time that passes meanwhile."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Any] = []

    def real_after(self, delay, callback):
        timer = Timer(self.now + delay, callback)
        self.timers.append(timer)
        return timer

    def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [each for each in self.timers if each.callback and each.when <= end]:
            timer = min(due, key=lambda each: each.when)
            self.timers.remove(timer)
            self.now = timer.when
            timer.callback()
        self.now = end


class Timer:
    def __init__(self, when, callback):
        self.when = when
        self.callback = callback

    def cancel(self):
        self.callback = None


class Lease:
    def __init__(self) -> None:
        self.noted: dict[str, Any] = {}

    def note(self, **changes: Any) -> None:
        self.noted.update(changes)


class Scene:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, deadline: float) -> None:
        self.clock, self.lease = Clock(), Lease()
        self.heard: int | None = 0
        self.hung_up = 0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.clock.now)
        monkeypatch.setattr(module.time, "time", lambda: self.clock.now)
        self.tenure = Tenure(
            self.clock,  # type: ignore[arg-type]
            self.lease,  # type: ignore[arg-type]
            lambda: deadline,
            lambda: self.heard,
            self._hang_up,
        )
        self.tenure.begin(1)
        self.tenure.renew()

    def _hang_up(self) -> None:
        self.hung_up += 1
        self.heard = None
        self.tenure.renew()

    @property
    def left(self) -> float:
        """Seconds until the lease ends as it is noted."""
        return self.lease.noted["until"] - self.clock.now


def test_a_controller_that_is_heard_of_keeps_the_machine(monkeypatch):
    scene = Scene(monkeypatch, 100.0)
    for _ in range(50):
        scene.heard += 1
        scene.clock.pass_by(10.0)
        assert scene.left >= 80
    assert scene.lease.noted["epoch"] == 1
    assert not scene.hung_up


def test_one_that_is_silent_is_parted_with_and_the_time_runs_from_then(monkeypatch):
    scene = Scene(monkeypatch, 3600.0)
    scene.heard += 1
    scene.clock.pass_by(20.0)
    scene.clock.pass_by(100.0)
    assert scene.hung_up == 1
    assert 3500 < scene.left <= 3600
    scene.clock.pass_by(1000.0)
    assert 2500 < scene.left <= 2600


def test_what_is_noted_is_never_sooner_than_the_end(monkeypatch):
    scene = Scene(monkeypatch, 100.0)
    scene.heard += 1
    scene.clock.pass_by(9.0)
    scene.heard = None  # it is lost now
    scene.tenure.renew()
    assert scene.left == 100


def test_renewals_are_as_frequent_as_the_deadline_asks_for(monkeypatch):
    for deadline, pause in ((3600.0, 15.0), (10.0, 1.0), (0.2, 0.1)):
        scene = Scene(monkeypatch, deadline)
        (timer,) = scene.clock.timers
        assert timer.when - scene.clock.now == pytest.approx(pause)
