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

# Writes a line now and then until it has written twelve, and is held no longer.
TICKS = """#!/usr/bin/env python3
import os, sys, time
number = 0
with open(sys.argv[1], "a", buffering=1) as file:
    while number < 12 or os.path.exists("held"):
        print(number, file=file)
        number += 1
        time.sleep(0.05)
"""
CASE = """
import os, subprocess, time, unittest
class T(unittest.TestCase):
    def tick(self, name):
        number = 0
        with open(name, "a", buffering=1) as file:
            while number < 12 or os.path.exists("held"):
                print(number, file=file)
                number += 1
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
    hold(sandbox)
    return sandbox.start("run", *argv, preexec_fn=own_group)


def hold(sandbox: Sandbox) -> None:
    """Have tests tick until they are let end."""
    (sandbox.here / "held").touch()


def let_end(sandbox: Sandbox) -> None:
    (sandbox.here / "held").unlink()


def state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat[stat.rfind(")") + 2]


def ticks(sandbox: Sandbox, name: str) -> int:
    path = sandbox.here / name
    return len(path.read_text().split()) if path.exists() else 0


def stands_still(sandbox: Sandbox, name: str) -> bool:
    before = ticks(sandbox, name)
    time.sleep(0.15)
    return ticks(sandbox, name) == before


def stop(sandbox: Sandbox, run: Run, *names: str, last: bool = True) -> None:
    """Press Ctrl-Z once tests tick; return when everything stands still.

    Tests may end when they go on if this is the `last` time that they are stopped.
    """
    for name in names:
        wait_until(lambda name=name: ticks(sandbox, name) >= 3, f"{name} ticks")
    run.signal(signal.SIGTSTP)
    wait_until(lambda: state(run.pid) == "T", "the controller is stopped")
    wait_until(lambda: "T" in map(state, sandbox.payloads()), "the tests are stopped")
    wait_until(lambda: all(stands_still(sandbox, name) for name in names), "no test ticks")
    if last:
        let_end(sandbox)


def ticking(sandbox: Sandbox, *names: str) -> None:
    sandbox.write("ticks.py", TICKS)
    recipes = [
        f'{{"kind": "exec-test", "uri": "./ticks.py", "args": ["{name}"]}}' for name in names
    ]
    sandbox.write("ticks.json", f"[{', '.join(recipes)}]", executable=False)


def test_tests_and_their_limits_stand_still_until_the_controller_goes_on(sandbox: Sandbox) -> None:
    """The pause is longer than each limit, and than the orphan deadline, which is 1 s here."""
    ticking(sandbox, "one", "two")
    limits = ("--task-timeout", "3", "--task-slow", "2.8", "--job-timeout", "4")
    run = start(sandbox, "ticks.json", "--max-parallel-tasks", "2", *limits)
    stop(sandbox, run, "one", "two")
    time.sleep(4)
    run.signal(signal.SIGCONT)
    end = run.wait()
    assert end.code == 0, end
    tests = sandbox.results()["tests"]
    assert [each["status"] for each in tests] == ["PASS", "PASS"]
    # Whoever is stopped while it sleeps has that behind it when it goes on.
    assert all(0.5 <= each["time_elapsed"] < 3 for each in tests)
    assert sandbox.results()["time"] > 4
    assert sandbox.results()["loop_lag_max"] < 1
    assert all(ticks(sandbox, name) >= 12 for name in ("one", "two"))
    notices = [each["text"] for each in sandbox.records() if each["type"] == "notice"]
    assert notices[0] == "SIGTSTP: tests and limits pause; SIGCONT (fg) lets them go on"
    assert re.fullmatch(r"SIGCONT: tests and limits go on after [4-9](\.\d)?s", notices[1])
    assert len(notices) == 2
    assert all(f"NOTICE     : {each}" in end.lines for each in notices)


def test_limits_hold_after_a_pause(sandbox: Sandbox) -> None:
    ticking(sandbox, "one")
    run = start(sandbox, "ticks.json", "--task-timeout", "2")
    stop(sandbox, run, "one", last=False)
    run.signal(signal.SIGCONT)
    assert run.wait().code == 8
    (test,) = sandbox.results()["tests"]
    assert test["detail"] == "past its 2 s limit"
    assert 2 <= test["time_elapsed"] < 4
    assert ticks(sandbox, "one") < 100


@pytest.mark.parametrize("isolation", ["process", "module"])
def test_forks_of_tests_pause_too(sandbox: Sandbox, isolation: str) -> None:
    sandbox.write("test_a.py", CASE, executable=False)
    run = start(sandbox, "test_a.py", "--isolation", isolation, "--task-timeout", "20")
    stop(sandbox, run, "a")
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
number = 0
with open("one", "a", buffering=1) as file:
    while number < 12 or os.path.exists("held"):
        print(number, file=file)
        number += 1
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
    stop(sandbox, run, "one", last=False)
    run.signal(signal.SIGINT)
    run.signal(signal.SIGCONT)
    assert run.wait().code == 8
    statuses = [each["status"] for each in sandbox.results()["tests"]]
    assert statuses == ["INTERRUPT", "CANCEL"]
    sandbox.wait_nothing_runs()


def test_a_job_can_be_paused_more_than_once(sandbox: Sandbox) -> None:
    ticking(sandbox, "one")
    run = start(sandbox, "ticks.json")
    for last in (False, True):
        stop(sandbox, run, "one", last=last)
        run.signal(signal.SIGCONT)
        wait_until(lambda: state(run.pid) in "SR", "it goes on")
        run.wait_said("NOTICE     : SIGCONT")
    assert run.wait().code == 0


def test_tests_go_on_when_their_stopped_controller_is_killed(sandbox: Sandbox) -> None:
    """They have until the orphan deadline, as ever."""
    sandbox.env["NRUNNER_AGENT_ORPHAN_DEADLINE"] = "2"
    ticking(sandbox, "one")
    run = start(sandbox, "ticks.json")
    stop(sandbox, run, "one", last=False)
    before = ticks(sandbox, "one")
    run.process.kill()
    run.process.communicate()
    # Whoever is ended at the deadline goes on, too, but not for so long.
    wait_until(lambda: ticks(sandbox, "one") >= before + 4, "it goes on")
    sandbox.wait_nothing_runs()


def test_where_nobody_could_let_it_go_on_it_is_not_stopped(sandbox: Sandbox) -> None:
    """The kernel stops no group of processes whose shell is gone."""
    ticking(sandbox, "one")
    hold(sandbox)
    run = sandbox.start("run", "ticks.json", start_new_session=True)
    wait_until(lambda: ticks(sandbox, "one") >= 3, "it ticks")
    run.signal(signal.SIGTSTP)
    run.wait_said(r"NOTICE     : SIGCONT: tests and limits go on after 0(\.\d)?s$")
    let_end(sandbox)
    assert run.wait().code == 0


def test_a_job_that_is_to_ignore_it_does(sandbox: Sandbox) -> None:
    ticking(sandbox, "one")

    def ignore() -> None:
        own_group()
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)

    hold(sandbox)
    run = sandbox.start("run", "ticks.json", preexec_fn=ignore)
    wait_until(lambda: ticks(sandbox, "one") >= 3, "it ticks")
    run.signal(signal.SIGTSTP)
    let_end(sandbox)
    end = run.wait()
    assert end.code == 0
    assert "SIGTSTP" not in end.out


def test_ctrl_z_and_fg_in_a_shell(sandbox: Sandbox) -> None:
    """As people do it: a terminal, a shell, its keys and its commands."""
    ticking(sandbox, "one")
    hold(sandbox)
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
        command = f"{sys.executable} -m nrunner run ticks.json --task-timeout 20; echo code $?\n"
        os.write(ours, command.encode())
        wait_until(lambda: ticks(sandbox, "one") >= 3, "it ticks")
        os.write(ours, b"\x1a")
        wait_until(lambda: has_said(rb"\[1\]\+ +Stopped"), "the shell has its terminal back")
        wait_until(lambda: stands_still(sandbox, "one"), "it does not tick")
        let_end(sandbox)
        os.write(ours, b"fg\n")
        wait_until(lambda: has_said(rb"JOB TIME"), "the job ends")
        os.write(ours, b"exit\n")
        assert shell.wait(10) in (0, 148)
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    assert b"(1/1) ./ticks.py: PASS" in said
    assert ticks(sandbox, "one") >= 12


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
