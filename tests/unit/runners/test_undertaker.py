"""The end of attempts, with real processes and no children of an agent."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nrunner.runnable import Runnable
from nrunner.runners import child, procfs
from nrunner.runners.attempt import Attempt, Order
from nrunner.runners.base import Exit
from nrunner.runners.kin import Kin
from nrunner.runners.loop import Loop
from nrunner.runners.series import Roster
from nrunner.runners.undertaker import Undertaker


class Scene:
    """An undertaker, and attempts whose main process has ended."""

    def __init__(self) -> None:
        self.concluded: list[Attempt] = []
        self.loop = Loop()
        self._attempts: dict[tuple[int, int], Attempt] = {}
        roster = Roster(self.loop, lambda _: None)
        kin = Kin(self._attempts, {}, lambda: (), roster, inherits=False)
        self.undertaker = Undertaker(self.loop, kin, self._attempts, self.concluded.append)

    def ended(self, script: str) -> Attempt:
        """Return an attempt that has run a shell script to its end."""
        attempt = Attempt(Order(1, 1, "1-x", Runnable("exec-test", "x"), "/log"))
        attempt.mark = "job:1:1"
        self._attempts[attempt.key] = attempt
        words = ("/bin/sh", "-c", script)
        null = os.open(os.devnull, os.O_WRONLY)
        attempt.pid = child.spawn(words, {"PATH": os.defpath}, ".", null, null)
        os.close(null)
        os.waitpid(attempt.pid, 0)
        attempt.end = Exit(0)
        return attempt

    def bury(self, attempt: Attempt) -> None:
        """Wait until nothing is left of an attempt."""
        self.undertaker.main_ended(attempt)
        while attempt not in self.concluded:
            self.loop.run_once()


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.loop._poll.close()
    os.close(scene.loop._woken)
    os.close(scene.loop._wake)


def test_what_stays_in_the_session_is_ended_though_orphans_fall_to_somebody_else(scene):
    attempt = scene.ended("sleep 1000 &")
    scene.bury(attempt)
    (leak,) = attempt.leaks
    assert "sleep" in leak["command"]  # the shell, if it has not become that yet
    left = procfs.read_process(leak["pid"])
    assert left is None or not left.is_alive


def test_of_what_left_nothing_there_is_nothing_to_wait_for(scene):
    attempt = scene.ended("true")
    scene.undertaker.main_ended(attempt)
    assert scene.concluded == [attempt]
