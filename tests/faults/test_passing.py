"""Faults that pass by and leave no trace: each is made on purpose, in the middle of a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.nemesis import Target
from tests.functional.sandbox import Run, Sandbox, check_moves

JUMPY = Path(__file__).with_name("jumpy.py")
HOG = "while True: pass"
DAY = 86400
AWAY = 2.5
"""Seconds: longer than each deadline that could be taken for passed."""


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A sandbox with tests that take a moment each, and deadlines that are short."""
    sandbox.write("takes.sh", "#!/bin/sh\nsleep 0.5\n")
    sandbox.env["NRUNNER_AGENT_ANSWER_DEADLINE"] = "1"
    return sandbox


def play(box: Sandbox) -> Run:
    """Start eight tests, two at a time, and wait until the first ones run."""
    run = box.start("run", *["takes.sh"] * 8, "--max-parallel-tasks", "2")
    run.wait_started(2)
    return run


def assert_nothing_was_seen(box: Sandbox, run: Run) -> None:
    assert run.wait().code == 0
    data = box.results()
    assert [each["status"] for each in data["tests"]] == ["PASS"] * 8
    assert [len(each["attempts"]) for each in data["tests"]] == [1] * 8
    check_moves(box.records())
    box.wait_nothing_runs()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def target(box: Sandbox, run: Run) -> Target:
    return Target(run.pid, box.job / "journal.jsonl", box.base, box.here / "clock")


def test_a_controller_that_is_stopped_for_a_while_is_waited_for(box: Sandbox) -> None:
    run = play(box)
    with stopped(run.pid):
        time.sleep(AWAY)
    assert_nothing_was_seen(box, run)


def test_a_guardian_that_is_stopped_for_a_while_is_not_missed(box: Sandbox) -> None:
    run = play(box)
    with stopped(target(box, run).guardian):
        time.sleep(AWAY)
    assert_nothing_was_seen(box, run)


def test_busy_processors_cost_nothing_but_time(box: Sandbox) -> None:
    hogs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(4 * (os.cpu_count() or 1))]
    try:
        run = play(box)
        assert_nothing_was_seen(box, run)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


@pytest.mark.parametrize("seconds", [-DAY, DAY])
def test_a_wall_clock_that_is_turned_changes_no_duration_and_no_order(
    box: Sandbox, seconds: int
) -> None:
    clock = box.here / "clock"
    clock.write_text("+0\n")
    words = [sys.executable, str(JUMPY), str(clock), "run", *["takes.sh"] * 8]
    process = subprocess.Popen(
        [*words, "--max-parallel-tasks", "2", "--job-timeout", "60", "--task-timeout", "30"],
        cwd=box.here,
        env=box.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    run = Run(box, process)
    run.wait_started(2)
    spare = clock.with_name("clock-to-be")
    spare.write_text(f"{seconds:+d}\n")
    spare.replace(clock)
    assert_nothing_was_seen(box, run)
    data = box.results()
    assert 2 <= data["time"] < 50
    assert all(0.4 < each["time_elapsed"] < 20 for each in data["tests"])
