"""What happens at Ctrl-Z, in which order."""

from __future__ import annotations

import asyncio
import signal

import pytest

from nrunner.pause import Pause


class Stage:
    """Writes down what happens; a process that stops does so for 90 s."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.now = 10.0
        self.excused = 0.0
        self.pause = Pause(
            (self.note_later("tests stop"), self.note_later("tests go on")),
            (self.note("console left"), self.note("console back")),
            self.happened.append,
            self.excuse,
            stop=self.stop,
            clock=lambda: self.now,
        )

    def note(self, what):
        return lambda: self.happened.append(what)

    def note_later(self, what):
        async def note() -> None:
            await asyncio.sleep(0)
            self.happened.append(what)

        return note

    def stop(self) -> None:
        self.happened.append("stopped")
        self.now += 90

    def excuse(self, seconds: float) -> None:
        self.excused += seconds

    def hear(self, times: int = 1) -> None:
        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                with self.pause.caught(group.create_task):
                    for _ in range(times):
                        self.pause.hear()

        asyncio.run(main())


@pytest.fixture
def stage():
    before = signal.getsignal(signal.SIGTSTP)
    yield Stage()
    signal.signal(signal.SIGTSTP, before)


IN_ORDER = [
    "tests stop",
    "SIGTSTP: tests and limits pause; SIGCONT (fg) lets them go on",
    "console left",
    "stopped",
    "console back",
    "tests go on",
    "SIGCONT: tests and limits go on after 1m30s",
]


def test_tests_stop_before_this_process_and_go_on_after_it(stage):
    stage.hear()
    assert stage.happened == IN_ORDER
    assert stage.excused == 90


def test_to_press_it_again_before_anything_has_stopped_changes_nothing(stage):
    stage.hear(3)
    assert stage.happened == IN_ORDER


def test_it_can_be_pressed_again_later(stage):
    stage.hear()
    stage.hear()
    assert stage.happened == IN_ORDER * 2


def test_the_signal_is_as_it_was_when_the_job_is_over(stage):
    stage.hear()
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL


def test_where_it_is_to_be_ignored_it_is(stage):
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    stage.hear()
    assert stage.happened == []
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
