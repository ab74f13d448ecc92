"""Ctrl-Z: tests and limits pause with nrunner, and go on with it."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.functional.sandbox import Run, Sandbox, wait_until

# Writes a line now and then, and ends after twelve of them: 0.6 s in which it is let run.
TICKS = """#!/usr/bin/env python3
import os, sys, time
with open(sys.argv[1], "a", buffering=1) as file:
    for number in range(int(os.environ.get("TICKS", "12"))):
        print(number, file=file)
        time.sleep(0.05)
"""
CASE = """
import os, subprocess, time, unittest
class T(unittest.TestCase):
    def tick(self, name):
        with open(name, "a", buffering=1) as file:
            for number in range(12):
                print(number, file=file)
                time.sleep(0.05)
    def test_a(self):
        self.tick("a")
    def test_b(self):
        pass
"""


def own_group() -> None:
    """A process group whose members have a parent in another one: it may be stopped."""
    os.setpgid(0, 0)


def start(sandbox: Sandbox, *argv: str) -> Run:
    return sandbox.start("run", *argv, preexec_fn=own_group)


def state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat[stat.rfind(")") + 2]


def ticks(sandbox: Sandbox, name: str) -> int:
    path = sandbox.here / name
    return len(path.read_text().split()) if path.exists() else 0


def stop(sandbox: Sandbox, run: Run, *names: str) -> None:
    """Press Ctrl-Z once tests tick; return when everything stands still."""
    for name in names:
        wait_until(lambda name=name: ticks(sandbox, name) >= 3, f"{name} ticks")
    run.signal(signal.SIGTSTP)
    wait_until(lambda: state(run.pid) == "T", "the controller is stopped", 5)
    wait_until(lambda: "T" in map(state, sandbox.payloads()), "the tests are stopped", 5)
    before = {name: ticks(sandbox, name) for name in names}
    time.sleep(0.15)
    assert before == {name: ticks(sandbox, name) for name in names}
    assert all(count < 12 for count in before.values())


def ticking(sandbox: Sandbox, *names: str) -> None:
    sandbox.write("ticks.py", TICKS)
    recipes = [
        f'{{"kind": "exec-test", "uri": "./ticks.py", "args": ["{name}"]}}' for name in names
    ]
    sandbox.write("ticks.json", f"[{', '.join(recipes)}]", executable=False)


def test_tests_and_their_limits_stand_still_until_the_controller_goes_on(sandbox: Sandbox) -> None:
    """The pause is longer than each limit, and than the orphan deadline, which is 1 s here."""
    ticking(sandbox, "one", "two")
    limits = ("--task-timeout", "1.5", "--task-slow", "1.3", "--job-timeout", "2")
    run = start(sandbox, "ticks.json", "--max-parallel-tasks", "2", *limits)
    stop(sandbox, run, "one", "two")
    time.sleep(1.5)
    run.signal(signal.SIGCONT)
    end = run.wait()
    assert end.code == 0, end
    tests = sandbox.results()["tests"]
    assert [each["status"] for each in tests] == ["PASS", "PASS"]
    # Whoever is stopped while it sleeps has that behind it when it goes on.
    assert all(0.5 <= each["time_elapsed"] < 1.5 for each in tests)
    assert sandbox.results()["time"] > 2
    assert sandbox.results()["loop_lag_max"] < 1
    assert [ticks(sandbox, name) for name in ("one", "two")] == [12, 12]
    notices = [each["text"] for each in sandbox.records() if each["type"] == "notice"]
    assert notices[0] == "SIGTSTP: tests and limits pause; SIGCONT (fg) lets them go on"
    assert re.fullmatch(r"SIGCONT: tests and limits go on after [12]\.\ds", notices[1])
    assert len(notices) == 2
    assert all(f"NOTICE     : {each}" in end.lines for each in notices)


def test_limits_hold_after_a_pause(sandbox: Sandbox) -> None:
    ticking(sandbox, "one")
    sandbox.env["TICKS"] = "1000"
    run = start(sandbox, "ticks.json", "--task-timeout", "2")
    stop(sandbox, run, "one")
    run.signal(signal.SIGCONT)
    assert run.wait().code == 8
    (test,) = sandbox.results()["tests"]
    assert test["detail"] == "past its 2 s limit"
    assert 2 <= test["time_elapsed"] < 4
    assert ticks(sandbox, "one") < 100


@pytest.mark.parametrize("isolation", ["process", "module"])
def test_forks_of_tests_pause_too(sandbox: Sandbox, isolation: str) -> None:
    sandbox.write("test_a.py", CASE, executable=False)
    run = start(sandbox, "test_a.py", "--isolation", isolation, "--task-timeout", "2")
    stop(sandbox, run, "a")
    assert ticks(sandbox, "a") < 12
    run.signal(signal.SIGCONT)
    assert run.wait().code == 0
    assert [each["status"] for each in sandbox.results()["tests"]] == ["PASS", "PASS"]


# Its child is stopped by itself; both know what a shell would know of each other.
STOPS = """#!/usr/bin/env python3
import os, signal, subprocess, time
child = subprocess.Popen(["sleep", "60"])
other = subprocess.Popen(["sleep", "60"])
child.send_signal(signal.SIGSTOP)
assert os.waitpid(child.pid, os.WUNTRACED)[0] == child.pid
with open("one", "a", buffering=1) as file:
    for number in range(12):
        print(number, file=file)
        time.sleep(0.05)
state = open(f"/proc/{child.pid}/stat").read().rpartition(")")[2].split()[0]
assert state == "T", state
assert os.waitpid(-1, os.WUNTRACED | os.WNOHANG)[0] == 0, "saw another one stopped"
child.kill()
other.kill()
"""


def test_what_was_stopped_before_stays_so_and_nobody_sees_the_others_stop(
    sandbox: Sandbox,
) -> None:
    sandbox.write("stops.py", STOPS)
    run = start(sandbox, "./stops.py")
    stop(sandbox, run, "one")
    run.signal(signal.SIGCONT)
    end = run.wait()
    (test,) = sandbox.results()["tests"]
    assert end.code == 0, (sandbox.job / test["outputs"]["stderr"]).read_text()


def test_a_job_can_be_interrupted_when_it_goes_on(sandbox: Sandbox) -> None:
    ticking(sandbox, "one", "two")
    run = start(sandbox, "ticks.json", "--max-parallel-tasks", "1")
    stop(sandbox, run, "one")
    run.signal(signal.SIGINT)
    run.signal(signal.SIGCONT)
    assert run.wait().code == 8
    statuses = [each["status"] for each in sandbox.results()["tests"]]
    assert statuses == ["INTERRUPT", "CANCEL"]
    sandbox.wait_nothing_runs()


def test_a_job_can_be_paused_more_than_once(sandbox: Sandbox) -> None:
    ticking(sandbox, "one")
    run = start(sandbox, "ticks.json")
    for _ in range(2):
        stop(sandbox, run, "one")
        run.signal(signal.SIGCONT)
        wait_until(lambda: state(run.pid) in "SR", "it goes on")
        run.wait_said("NOTICE     : SIGCONT")
    assert run.wait().code == 0


def test_tests_go_on_when_their_stopped_controller_is_killed(sandbox: Sandbox) -> None:
    """They have until the orphan deadline, as ever."""
    sandbox.env["NRUNNER_AGENT_ORPHAN_DEADLINE"] = "2"
    ticking(sandbox, "one")
    run = start(sandbox, "ticks.json")
    stop(sandbox, run, "one")
    before = ticks(sandbox, "one")
    run.process.kill()
    run.process.communicate()
    wait_until(lambda: ticks(sandbox, "one") > before, "it goes on", 1.5)
    sandbox.wait_nothing_runs(10)


def test_where_nobody_could_let_it_go_on_it_is_not_stopped(sandbox: Sandbox) -> None:
    """The kernel stops no group of processes whose shell is gone."""
    ticking(sandbox, "one")
    run = sandbox.start("run", "ticks.json", start_new_session=True)
    wait_until(lambda: ticks(sandbox, "one") >= 3, "it ticks")
    run.signal(signal.SIGTSTP)
    end = run.wait()
    assert end.code == 0
    assert "NOTICE     : SIGCONT: tests and limits go on after 0s" in end.lines


def test_a_job_that_is_to_ignore_it_does(sandbox: Sandbox) -> None:
    ticking(sandbox, "one")

    def ignore() -> None:
        own_group()
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)

    run = sandbox.start("run", "ticks.json", preexec_fn=ignore)
    wait_until(lambda: ticks(sandbox, "one") >= 3, "it ticks")
    run.signal(signal.SIGTSTP)
    end = run.wait()
    assert end.code == 0
    assert "SIGTSTP" not in end.out


def test_ctrl_z_and_fg_in_a_shell(sandbox: Sandbox) -> None:
    """As people do it: a terminal, a shell, its keys and its commands."""
    ticking(sandbox, "one")
    ours, theirs = pty.openpty()
    env = {**sandbox.env, "PS1": "$ ", "TERM": "dumb"}
    shell = subprocess.Popen(
        ["bash", "--norc", "--noediting", "-i"],
        cwd=sandbox.here,
        env=env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    said = b""

    def has_said(pattern: bytes) -> bool:
        nonlocal said
        said += os.read(ours, 1 << 16)
        return re.search(pattern, said) is not None

    try:
        os.set_blocking(ours, True)
        command = f"{sys.executable} -m nrunner run ticks.json --task-timeout 2; echo code $?\n"
        os.write(ours, command.encode())
        wait_until(lambda: ticks(sandbox, "one") >= 3, "it ticks")
        os.write(ours, b"\x1a")
        wait_until(lambda: has_said(rb"\[1\]\+ +Stopped"), "the shell has its terminal back")
        before = ticks(sandbox, "one")
        time.sleep(0.15)
        assert ticks(sandbox, "one") == before
        os.write(ours, b"fg\n")
        wait_until(lambda: has_said(rb"JOB TIME"), "the job ends")
        os.write(ours, b"exit\n")
        assert shell.wait(10) in (0, 148)
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    assert b"(1/1) ./ticks.py: PASS" in said
    assert ticks(sandbox, "one") == 12


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
