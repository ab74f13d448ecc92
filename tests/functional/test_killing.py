"""What tests leave running, and what becomes of it: named, ended, and nothing in its group.

Whether a control group can be made is found out here without nrunner; where none can, what holds
without one is asserted.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrunner.runners import cgroup, procfs
from tests.functional.sandbox import Sandbox, wait_until

# A process is what it is to become, and not the shell that forked it, once it is called so.
SLEEPS = "sleep 300 & until grep -qx sleep /proc/$!/comm; do :; done"
# Leaves its session, its environment and its files behind; says what it is called.
HIDES = f"""#!/bin/sh
env -i setsid sh -c '{SLEEPS}; echo $! > "$0"' "$PWD/$1" < /dev/null > /dev/null 2>&1
"""
WAITS = "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.02; done\n"


@pytest.fixture(autouse=True)
def groups(sandbox: Sandbox) -> Iterator[Path | None]:
    """A group in which those of agents are made, None where that is not possible.

    This process is in it meanwhile, so that nobody else's nrunner has to do with the test.
    """
    del sandbox  # what it starts is ended before
    above = cgroup.own_folder()
    folder = Path(above or "/") / f"nrunners-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "cgroup.procs").write_text("0")
    except OSError:
        yield None
        return
    yield folder
    try:
        wait_until(lambda: not made(folder), "groups are removed", 5)
    finally:
        (folder.parent / "cgroup.procs").write_text("0")
        cgroup.Group(str(folder)).kill()
        cgroup.Group(str(folder)).remove()


def made(groups: Path | None) -> list[Path]:
    return list(groups.glob("nrunner-*")) if groups is not None else []


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rfind(")") + 2] not in "ZX"


def pid_in(sandbox: Sandbox, name: str) -> int:
    path = sandbox.here / name
    return int(wait_until(lambda: path.exists() and path.read_text().strip(), name))


@pytest.mark.parametrize("policy", ["ignore", "warn", "fail"])
def test_a_daemon_that_hides_is_found_at_the_end_of_its_own_test(
    sandbox: Sandbox, policy: str
) -> None:
    """Others run all the while, so it is not found for want of anybody else."""
    sandbox.write("hides.sh", HIDES)
    sandbox.write("waits.sh", WAITS)
    recipes = ['{"kind": "exec-test", "uri": "./waits.sh"}'] * 2
    recipes.append('{"kind": "exec-test", "uri": "./hides.sh", "args": ["pid"]}')
    sandbox.write("all.json", f"[{', '.join(recipes)}]", executable=False)
    flags = ("--leak", policy, "--max-parallel-tasks", "3")
    run = sandbox.start("run", "all.json", *flags)
    run.wait_said(r" \(3/3\) ")
    pid = pid_in(sandbox, "pid")
    assert not is_alive(pid)
    # A shell that has forked, and not executed its next program yet, is there twice.
    assert len([each for each in sandbox.payloads().values() if "waits" in each]) >= 2
    (sandbox.here / "go").touch()
    end = run.wait()
    test = sandbox.results()["tests"][2]
    wanted = {"ignore": "PASS", "warn": "WARN", "fail": "FAIL"}[policy]
    assert test["status"] == wanted
    assert end.code == (1 if policy == "fail" else 0)
    (leak,) = test["attempts"][0]["leaks"]
    assert (leak["pid"], leak["command"]) == (pid, "sleep 300")
    assert 0 < leak["age"] < 10
    detail = f"left 1 process ({pid} sleep 300, " if policy != "ignore" else ""
    assert test["detail"].startswith(detail)


def test_the_layer_that_held_the_processes_is_told(sandbox: Sandbox, groups: Path | None) -> None:
    for setting, layer in (("auto", "cgroup" if groups else "subreaper"), ("off", "subreaper")):
        sandbox.env["NRUNNER_AGENT_CGROUP"] = setting
        assert sandbox.run("run", "/bin/true").code == 0
        (test,) = sandbox.results()["tests"]
        assert test["attempts"][0]["layer"] == layer


HIDING_CASES = f"""
import os, subprocess, time, unittest
class T(unittest.TestCase):
    def test_a_hides(self):
        quiet = subprocess.DEVNULL
        child = subprocess.Popen(
            ["sh", "-c", "{SLEEPS}; echo $! > pid"], env={{"PATH": os.environ["PATH"]}},
            start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet)
        child.wait()
    def test_b_comes_later(self):
        pass
    def test_c_waits(self):
        while os.environ.get("WAIT") and not os.path.exists("go"):
            time.sleep(0.02)
"""


def test_a_daemon_of_a_fork_is_found_at_the_end_of_its_own_test(sandbox: Sandbox) -> None:
    sandbox.write("test_a.py", HIDING_CASES, executable=False)
    flags = ("--max-parallel-tasks", "2", "-p", "WAIT=1")
    run = sandbox.start("run", "test_a.py:T.test_c_waits", "test_a.py:T.test_a_hides", *flags)
    run.wait_said(r" \(2/2\) .*: WARN: left 1 process ")
    assert not is_alive(pid_in(sandbox, "pid"))
    (sandbox.here / "go").touch()
    assert run.wait().code == 0


def test_a_daemon_of_an_earlier_test_of_a_series_is_found_when_its_process_ends(
    sandbox: Sandbox,
) -> None:
    sandbox.write("test_a.py", HIDING_CASES, executable=False)
    assert sandbox.run("run", "test_a.py", "--isolation", "module").code == 0
    assert not is_alive(pid_in(sandbox, "pid"))
    first, second, last = sandbox.results()["tests"]
    assert [first["status"], second["status"], last["status"]] == ["PASS", "PASS", "WARN"]
    assert last["attempts"][0]["leaks"][0]["pid"] == pid_in(sandbox, "pid")


# Takes the mark off that it cannot know of, too: nobody can tell whose it is.
UNKNOWN = f"""#!/usr/bin/env python3
import os, resource, subprocess
resource.setrlimit(resource.RLIMIT_RTTIME, (-1, -1))
quiet = subprocess.DEVNULL
child = subprocess.Popen(
    ["sh", "-c", "{SLEEPS}; echo $! > pid"], env={{"PATH": os.environ["PATH"]}},
    start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet)
child.wait()
"""


def test_who_cannot_be_told_apart_is_ended_and_named_at_the_end_of_the_job(
    sandbox: Sandbox,
) -> None:
    sandbox.write("unknown.py", UNKNOWN)
    sandbox.write("waits.sh", WAITS)
    flags = ("--max-parallel-tasks", "2")
    run = sandbox.start("run", "./waits.sh", "./unknown.py", *flags)
    run.wait_said(r" \(2/2\) .*: PASS")
    pid = pid_in(sandbox, "pid")
    assert is_alive(pid)
    (sandbox.here / "go").touch()
    end = run.wait()
    assert not is_alive(pid)
    said = f"NOTICE     : a test left process {pid} behind: sleep 300"
    assert said in end.out.splitlines()
    assert [each["task"] for each in sandbox.records() if each["type"] == "notice"] == [0]


# Each process is gone before anybody has looked at it; its child goes on. Never so often that a
# machine runs out of pids if nobody ends it: who has ended and was not waited for has one, too.
FLEES = """#!/usr/bin/env python3
import os, sys
for _ in range(3000):
    if os.fork():
        os._exit(0)
    if "sessions" in sys.argv:
        os.setsid()
"""


@pytest.mark.parametrize("argument", ["", "sessions"])
def test_who_flees_by_forking_for_ever_is_ended_with_its_test(
    sandbox: Sandbox, argument: str
) -> None:
    sandbox.write("flees.py", FLEES)
    sandbox.write("waits.sh", WAITS)
    recipe = f'{{"kind": "exec-test", "uri": "./flees.py", "args": ["{argument}"]}}'
    sandbox.write("flees.json", recipe, executable=False)
    run = sandbox.start("run", "./waits.sh", "flees.json", "--max-parallel-tasks", "2")
    run.wait_said(r" \(2/2\) .*: WARN: left \d+ process")
    assert not [each for each in sandbox.running().values() if "flees.py" in each.split()[-2:]]
    (sandbox.here / "go").touch()
    assert run.wait().code == 0
    attempt = sandbox.results()["tests"][1]["attempts"][0]
    assert attempt["leaks"]
    assert not attempt["unkillable"]
    assert attempt["time_elapsed"] < 1


BOMB = """#!/bin/sh
# Doubles until there are too many, each goes on to fork.
n=${1:-0}
[ $n -ge 7 ] && { while :; do sleep 0.01; done; }
"$0" $((n + 1)) & "$0" $((n + 1)) &
while :; do sleep 0.01; done
"""


def test_a_bomb_of_forks_ends_with_its_limit(sandbox: Sandbox) -> None:
    sandbox.write("bomb.sh", BOMB)
    began = time.monotonic()
    end = sandbox.run("run", "./bomb.sh", "/bin/true", "--task-timeout", "2", "--grace", "0.5")
    assert end.code == 8
    first, second = sandbox.results()["tests"]
    assert (first["status"], second["status"]) == ("INTERRUPT", "PASS")
    assert first["detail"] == "past its 2 s limit"
    assert time.monotonic() - began < 20
    sandbox.wait_nothing_runs()


# Whoever is killed.


def guardian_and_agent(sandbox: Sandbox) -> tuple[int, int]:
    def both() -> list[int]:
        return sandbox.agents() if len(sandbox.agents()) == 2 else []

    first, second = wait_until(both, "guardian and agent are there")
    parent = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    return (second, first) if parent == second else (first, second)


@pytest.mark.parametrize("cgroup", ["auto", "off"])
@pytest.mark.parametrize("killed", ["agent", "guardian", "both"])
def test_nothing_is_left_of_an_environment_whose_keepers_are_killed(
    sandbox: Sandbox, cgroup: str, killed: str
) -> None:
    """What ran is tried again once it is gone for sure, and not beside its first try."""
    sandbox.env["NRUNNER_AGENT_CGROUP"] = cgroup
    script = "trap '' TERM\n[ -e twice ] && exit 0\ntouch twice; echo $$ > pid\nsleep 300\n"
    sandbox.write("once.sh", f"#!/bin/sh\n{script}")
    run = sandbox.start("run", "./once.sh")
    pid = pid_in(sandbox, "pid")
    run.wait_started(1)
    guardian, agent = guardian_and_agent(sandbox)
    victims = {"agent": (agent,), "guardian": (guardian,), "both": (guardian, agent)}[killed]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for each in victims:
            os.kill(each, number)
    end = run.wait()
    assert end.code == 0, end
    assert len(sandbox.results()["tests"][0]["attempts"]) == 2
    assert not is_alive(pid)
    sandbox.wait_nothing_runs()


def test_groups_that_nobody_guards_any_more_are_ended_by_the_next_run(
    sandbox: Sandbox, groups: Path | None
) -> None:
    """All of a job was killed: controller, guardian and agent."""
    sandbox.write("waits.sh", WAITS)
    run = sandbox.start("run", "./waits.sh")
    run.wait_started(1)
    assert len(made(groups)) == (0 if groups is None else 1)
    everybody = (run.pid, *guardian_and_agent(sandbox))
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in everybody:
            os.kill(pid, number)
    run.process.communicate()
    assert [each for each in sandbox.payloads().values() if "waits" in each]
    assert sandbox.run("run", "/bin/true").code == 0
    if groups is None:
        (sandbox.here / "go").touch()
    sandbox.wait_nothing_runs()


def test_groups_of_others_are_left_alone(sandbox: Sandbox, groups: Path | None) -> None:
    """One whose guardian lives in another namespace of pids, and one of another program."""
    if groups is None:
        assert sandbox.run("run", "/bin/true").code == 0
        return
    strange = [groups / "nrunner-1-99999999-1", groups / f"nrunner-test-{os.getpid()}"]
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        for folder in strange:
            folder.mkdir()
        (strange[0] / "cgroup.procs").write_text(str(sleeper.pid))
        try:
            assert sandbox.run("run", "/bin/true").code == 0
            assert sleeper.poll() is None
            assert all(folder.is_dir() for folder in strange)
        finally:
            sleeper.kill()
            sleeper.wait()
            for folder in strange:
                folder.rmdir()


def test_nrunner_in_a_test_of_nrunner_finds_its_own_leaks(sandbox: Sandbox) -> None:
    script = f"#!/bin/sh\nexec {sys.executable} -m nrunner run ./hides.sh --job-results-dir inner\n"
    sandbox.write("inner.sh", script)
    sandbox.write("hides.sh", HIDES.replace("$1", "pid"))
    end = sandbox.run("run", "./inner.sh", "--task-timeout", "20")
    assert end.code == 0, end
    (test,) = sandbox.results()["tests"]
    inner = (sandbox.job / test["outputs"]["stdout"]).read_text()
    assert re.search(r"WARN: left 1 process \(\d+ sleep 300", inner)
    assert not is_alive(pid_in(sandbox, "pid"))


@pytest.mark.parametrize("count", [0, 1, 500])
def test_our_own_children_are_seen_however_many_there_are(count):
    before = set(procfs.own_children())
    children = [os.posix_spawn("/bin/sleep", ("sleep", "60"), {}) for _ in range(count)]
    try:
        assert set(procfs.own_children()) - before == {*children}
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert set(procfs.own_children()) == before
