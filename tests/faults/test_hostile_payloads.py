"""Tests that attack what runs them: each has its verdict, no other has another, nothing is left.

Beside the payloads of tests/functional/test_payloads.py, whose model is used. Those that kill look
first whether it is an agent that they kill; one that kills everything has a namespace for itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nrunner.journal import read_records
from nrunner.runners.removal import remove_tree
from tests.faults.attack import MOST_AGENT, MOST_CONTROLLER, peak
from tests.functional import model
from tests.functional.model import Expected
from tests.functional.sandbox import Run, Sandbox, check_moves

PAYLOADS = Path(__file__).parents[1] / "fixtures" / "hostile"
LIMIT = 2.0
GRACE = 0.3
AGAIN = (1, 2)
"""Attempts of a test that was running when its environment went."""


def says(word: str, **more: Any) -> Expected:
    """A test that does nothing wrong."""
    outputs = {"stdout": f"{word}\n".encode(), "output": 1}
    return Expected("./says.sh", "PASS", args=(word,), outputs=outputs, **more)


EVIDENCE = {"evidence.txt": lambda data: b"PID" in data}


def killed_late(name: str, **more: Any) -> Expected:
    detail = f"past its {LIMIT:g} s limit.*"
    more.setdefault("outputs", EVIDENCE)
    takes = (LIMIT, LIMIT + GRACE + 3)
    return Expected(
        name, "INTERRUPT", "timeout", detail, -9, ends_in="INTERRUPTED", takes=takes, **more
    )


def lost_its_place(name: str, detail: str, **more: Any) -> Expected:
    """A test that ended its environment each time it was tried."""
    more.setdefault("takes", (0.0, 10.0))
    # It may be gone before it was told that it started.
    ends_in = "INTERRUPTED|FAILED_TO_START"
    return Expected(name, "ERROR", "infra", detail, None, ends_in=ends_in, attempts=(3,), **more)


@pytest.fixture
def quick(box: Sandbox) -> Iterator[Sandbox]:
    """A box whose results are in memory, where there is such a place: some disks take a minute."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield box
        return
    box.base = memory / box.mark
    box.env["NRUNNER_RUN_RESULTS_DIR"] = str(box.base)
    yield box
    remove_tree(str(box.base))


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """A sandbox with the payloads in it."""
    shutil.copytree(PAYLOADS, sandbox.here, dirs_exist_ok=True)
    sandbox.env["NRUNNER_RUN_TASK_TIMEOUT"] = f"{LIMIT:g}"
    sandbox.env["NRUNNER_RUN_GRACE"] = f"{GRACE:g}"
    return sandbox


def start(box: Sandbox, expected: Sequence[Expected], *flags: str, **more: Any) -> Run:
    text = json.dumps(model.recipes(expected))
    box.write("payloads.json", text, executable=False)
    return box.start("run", "payloads.json", *flags, **more)


def assert_as_modelled(box: Sandbox, expected: Sequence[Expected]) -> None:
    assert model.differences(box.results(), box.job, expected) == []
    check_moves(box.records())
    box.wait_nothing_runs()


def play(box: Sandbox, expected: Sequence[Expected], parallel: int = 3, **more: Any) -> int:
    """Run all; return the exit code."""
    run = start(box, expected, "--max-parallel-tasks", str(parallel), **more)
    end = run.wait()
    assert_as_modelled(box, expected)
    return end.code


def test_half_a_thousand_processes_that_fork_on_and_ignore_sigterm_all_end(box: Sandbox) -> None:
    expected = (killed_late("./forks_many.py"), *[says(str(n)) for n in range(4)])
    assert play(box, expected) == 8


def test_what_starts_itself_again_when_it_is_told_to_end_ends(box: Sandbox) -> None:
    assert play(box, (killed_late("./restarts.py"), says("a"))) == 8


def test_a_hundred_thousand_files_cost_no_memory_and_keep_nobody_waiting(quick: Sandbox) -> None:
    """Those that are kept are moved, those that are temporary are removed bit by bit.

    Meanwhile tests that are silent have to be ended, each in time.
    """
    outputs = {"output": 50, "stdout": 100}
    many = Expected("./makes_many_files.py", "PASS", outputs=outputs, takes=(0, 30))
    silent = Expected(
        "/bin/sleep",
        "INTERRUPT",
        "timeout",
        "no output for 0.8 s.*",
        -15,
        args=("60",),
        outputs=EVIDENCE,
        ends_in="INTERRUPTED",
        takes=(0.8, 1.6),
    )
    quick.env["NRUNNER_RUN_TASK_TIMEOUT"] = "30"
    quick.env["NRUNNER_RUN_TASK_SILENCE"] = "0.8"
    expected = (many, *[silent] * 6)
    run = start(quick, expected, "--max-parallel-tasks", "2")
    run.wait_started(1)
    agents = quick.agents()
    peaks = [0, 0]
    for _ in range(400):
        peaks[:] = max(peaks[0], peak(run.pid)), max([peaks[1], *map(peak, agents)])
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.process.wait(0.1)
            break
    assert run.wait().code == 8
    assert_as_modelled(quick, expected)
    assert 0 < peaks[0] < MOST_CONTROLLER
    assert 0 < peaks[1] < MOST_AGENT


@pytest.mark.parametrize("where", ["", "there"])
def test_what_is_no_file_is_kept_and_never_followed_or_read(box: Sandbox, where: str) -> None:
    before = sorted(path.name for path in Path("/etc").iterdir())
    passwd = Path("/etc/passwd").read_bytes()
    odd = Expected(
        "./leaves_odd_files.py", "PASS", args=(where,) if where else (), outputs={"output": 8}
    )
    assert play(box, (odd, odd, *[says(str(n)) for n in range(6)]), 2) == 0
    assert sorted(path.name for path in Path("/etc").iterdir()) == before
    assert Path("/etc/passwd").read_bytes() == passwd
    names = {path.name for path in (box.job / "test-results").rglob("output/*")}
    assert names == {"pipe", "socket", "zero", "passwd", "above", "job", "loop", "here", "file"}


def test_what_stands_in_the_place_of_another_tests_folder_harms_nobody(box: Sandbox) -> None:
    expected = (Expected("./traps_others.py", "PASS"), *[says(str(n)) for n in range(6)])
    assert play(box, expected, 1) == 0
    assert not Path("/etc/stdout").exists()


def test_a_test_that_stops_the_agent_has_stopped_nothing(box: Sandbox) -> None:
    stops = Expected("./kills.py", "PASS", args=(str(int(signal.SIGSTOP)), "agent"))
    assert play(box, (*[stops] * 3, *[says(str(n)) for n in range(4)])) == 0


def test_a_test_that_stops_agent_and_guardian_is_in_error_alone(box: Sandbox) -> None:
    box.env["NRUNNER_AGENT_ANSWER_DEADLINE"] = "0.6"
    stops = lost_its_place(
        "./kills.py", ".*did not answer within 0.6 s", args=("19", "guardian", "agent")
    )
    fine = [says(str(n), attempts=AGAIN) for n in range(4)]
    assert play(box, (fine[0], stops, *fine[1:])) == 1


def test_a_test_that_traces_the_agent_is_in_error_alone(box: Sandbox) -> None:
    box.env["NRUNNER_AGENT_ANSWER_DEADLINE"] = "0.6"
    traces = lost_its_place("./traces.py", ".*did not answer within 0.6 s")
    fine = [says(str(n), attempts=AGAIN) for n in range(4)]
    assert play(box, (fine[0], traces, *fine[1:])) == 1


@pytest.mark.parametrize("whom", [("guardian",), ("agent", "guardian")])
def test_a_test_that_kills_what_runs_it_is_in_error_alone(
    box: Sandbox, whom: tuple[str, ...]
) -> None:
    box.env["stays"] = "behind"
    kills = lost_its_place("./kills.py", "its environment is gone: .*", args=("9", *whom))
    fine = [says(str(n), attempts=AGAIN) for n in range(4)]
    assert play(box, (fine[0], kills, *fine[1:])) == 1


def test_a_test_that_kills_the_controllers_group_ends_the_job_which_can_be_gone_on_with(
    box: Sandbox,
) -> None:
    box.write("kills_group.py", KILLS_GROUP)
    kills = Expected("./kills_group.py", "PASS", takes=(0, 30))
    expected = (says("before"), kills, *[says(str(n)) for n in range(3)])
    run = start(box, expected, "--max-parallel-tasks", "1", start_new_session=True)
    assert run.wait().code == -signal.SIGKILL
    records = list(read_records(box.job / "journal.jsonl"))
    assert records[0]["type"] == "job"
    assert records[-1]["type"] != "closed"
    end = box.run("jobs", "resume", "latest")
    assert end.code == 0, end
    assert_as_modelled(box, expected)
    assert (box.here / "ran").read_text() == "once\n"


KILLS_GROUP = """#!/usr/bin/env python3
import os, time
import agent
with open("ran", "a") as file:
    file.write("once\\n")
pid = agent.controller()
if pid and os.getpgid(pid) == pid:
    os.killpg(pid, 9)
time.sleep(0.3)
"""


def test_a_test_that_kills_all_processes_but_itself_leaves_a_job_to_go_on_with(
    box: Sandbox,
) -> None:
    """It has its own namespace of processes: whatever is in there is killed, all at once."""
    expected = (says("before"), Expected("./kills_all.py", "PASS"), says("after"))
    text = json.dumps(model.recipes(expected))
    box.write("payloads.json", text, executable=False)
    words = [sys.executable, "-m", "nrunner", "run", "payloads.json", "--max-parallel-tasks", "1"]
    # The first process of a namespace cannot be killed from inside; it waits for the one that can.
    first = 'name="the first of its namespace"; "$@"; until [ -e survived ]; do sleep 0.05; done'
    users = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    space = ["unshare", *users, "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*space, "sh", "-c", first, "sh", *words],
        cwd=box.here,
        env=box.env,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert b"Traceback" not in done.stdout + done.stderr
    assert done.returncode == 0
    box.wait_nothing_runs()
    settled = [each["task"] for each in box.records() if each["type"] == "settled"]
    assert settled == [1]
    end = box.run("jobs", "resume", "latest")
    # Nobody knows how it ended, so it is not run again either.
    assert end.code == 1
    tests = box.results()["tests"]
    verdicts = [(each["status"], each["cause"]) for each in tests]
    assert verdicts == [("PASS", "test"), ("ERROR", "lost"), ("PASS", "test")]
    check_moves(box.records())


def test_a_test_that_cuts_the_file_of_what_its_agent_says_is_in_error_alone(box: Sandbox) -> None:
    cuts = lost_its_place("./cuts_spool.sh", "its environment is gone: .*")
    fine = [says(str(n), attempts=AGAIN) for n in range(4)]
    assert play(box, (fine[0], cuts, *fine[1:])) == 1


def test_what_a_test_writes_into_the_journal_changes_nothing(box: Sandbox) -> None:
    spoils = Expected("./spoils_journal.sh", "PASS")
    expected = (says("before"), spoils, spoils, *[says(str(n)) for n in range(4)])
    assert play(box, expected) == 0
    records = list(read_records(box.job / "journal.jsonl"))
    assert records[-1]["type"] == "closed"
    assert len(records) == (box.job / "journal.jsonl").read_bytes().count(b"\n")


def test_a_job_whose_folder_a_test_removes_says_its_verdicts_and_is_red(box: Sandbox) -> None:
    expected = (says("before"), Expected("./removes_job.sh", "PASS"), says("after"))
    run = start(box, expected, "--max-parallel-tasks", "1")
    end = run.wait()
    assert end.code == 2
    lines = [line.split(" (")[1] for line in end.lines if line.startswith(" (")]
    assert [line.partition(") ")[2] for line in lines] == [
        "./says.sh: PASS",
        "./removes_job.sh: PASS",
        "./says.sh: PASS",
    ]
    assert "could not write the report 'json'" in end.out
    box.wait_nothing_runs()


def test_who_takes_all_descriptors_it_may_have_takes_none_of_anybody_else(box: Sandbox) -> None:
    takes = Expected("./takes_descriptors.py", "PASS", takes=(0, 10))
    box.env["NRUNNER_RUN_TASK_TIMEOUT"] = "20"
    assert play(box, (takes, takes, *[says(str(n)) for n in range(4)])) == 0


def test_a_clock_that_is_set_back_or_forward_changes_no_time_that_is_told(box: Sandbox) -> None:
    """The controller's wall clock jumps by a day, both ways; a test may not set it itself here."""
    (box.here / "jump").mkdir()
    (box.here / "jump" / "sitecustomize.py").write_text(JUMPS)
    box.env["PYTHONPATH"] = str(box.here / "jump")
    box.write("jumps.sh", '#!/bin/sh\necho "$1" > jump/by\nsleep 0.3\n')
    forward = Expected("./jumps.sh", "PASS", args=("86400",), takes=(0.3, 1.5))
    back = replace(forward, args=("-86400",))
    expected = (says("a"), forward, says("b"), back, says("c"))
    assert play(box, expected, 1) == 0
    data = box.results()
    assert 0.7 < data["time"] < 20
    starts = [each["actual_time_start"] for each in data["tests"]]
    assert starts == sorted(starts)
    assert starts[-1] - starts[0] < 20


JUMPS = """
import os, time
_time = time.time
def jumping():
    try:
        with open(os.path.join(os.path.dirname(__file__), "by")) as file:
            return _time() + int(file.read() or 0)
    except OSError:
        return _time()
time.time = jumping
"""


@contextlib.contextmanager
def deaf(folder: Path) -> Iterator[Path]:
    """Mount a file system with a file in it that nobody can open; yield its path."""
    folder.mkdir()
    server = Path(__file__).parent / "deaf_fuse.py"
    words = [sys.executable, str(server), str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", "needs /dev/fuse, and to be root"
            yield folder / "file"
        finally:
            # This ends all that wait for it.
            process.kill()
            process.wait()
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def test_what_no_signal_ends_is_told_and_the_job_ends_without_it(box: Sandbox) -> None:
    box.env["NRUNNER_RUN_TASK_TIMEOUT"] = "0.5"
    with deaf(box.here / "mnt") as file:
        hangs = Expected(
            "./sleeps_for_good.sh",
            "INTERRUPT",
            "timeout",
            r"past its 0.5 s limit.*1 process \(\d+ cat .*\) cannot be killed.*",
            None,
            args=(str(file),),
            outputs=EVIDENCE,
            ends_in="INTERRUPTED",
            takes=(5.0, 12.0),
        )
        expected = (hangs, *[says(str(n)) for n in range(4)])
        end = start(box, expected, "--max-parallel-tasks", "2").wait()
        assert end.code == 8
        assert model.differences(box.results(), box.job, expected) == []
        (left,) = box.running().values()
        assert left == f"cat {file}"
        # Five seconds for the test, and some more when its agent leaves, but not all there are.
        assert box.results()["time"] < 17
        (told,) = box.results()["tests"][0]["attempts"][0]["unkillable"]
        assert told["wait_channel"] == "request_wait_answer"
    box.wait_nothing_runs()


HOARDER = """#!/usr/bin/env python3
import json, os, socket, sys, time
words = sys.argv
name, path = words[words.index("-i") + 1], words[words.index("-s") + 1]
peers = []
for _ in range(1000):
    peers.append(socket.socket(socket.AF_UNIX))
    peers[-1].setblocking(False)
    peers[-1].connect_ex(path)
for other in os.listdir(os.path.dirname(path)):
    if other.startswith("status-"):
        peers.append(socket.socket(socket.AF_UNIX))
        peers[-1].connect(os.path.join(os.path.dirname(path), other))
        for number in range(1, 9):
            forged = {"id": f"{number}-honest", "time": 1, "status": "finished", "result": "fail"}
            try:
                peers[-1].sendall(json.dumps(forged).encode() + b"\\n")
            except OSError:
                pass
with open("hoards", "w"):
    pass
time.sleep(0.5)
"""
HONEST = """#!/usr/bin/env python3
import json, os, socket, sys, time
words = sys.argv
name, path = words[words.index("-i") + 1], words[words.index("-s") + 1]
while not os.path.exists("hoards"):
    time.sleep(0.02)
peer = socket.socket(socket.AF_UNIX)
peer.connect(path)
peer.sendall(json.dumps({"id": name, "time": 1, "status": "finished", "result": "pass"}).encode())
"""


def test_a_runner_that_takes_all_connections_and_speaks_for_others_is_not_heard(
    box: Sandbox,
) -> None:
    box.plug_in("nrunner-runner-hoarder", HOARDER)
    box.plug_in("nrunner-runner-honest", HONEST)
    recipes = [{"kind": "honest", "uri": "honest"}] * 5 + [{"kind": "hoarder", "uri": "hoarder"}]
    box.write("t.json", json.dumps(recipes), executable=False)
    run = box.start("run", "t.json", "--max-parallel-tasks", "8", "--task-timeout", "30")
    run.wait_started(6)
    end = run.wait()
    assert end.code == 1
    tests = box.results()["tests"]
    assert [each["status"] for each in tests] == ["PASS"] * 5 + ["ERROR"]
    assert [each["cause"] for each in tests] == ["test"] * 5 + ["contract"]
    for number in range(1, 6):
        assert f"of {number}-honest: another test speaks" in end.out
    box.wait_nothing_runs()
