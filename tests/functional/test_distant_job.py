"""Whole jobs where none of our files are seen: the real command line, and what comes home of it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.functional.sandbox import Sandbox, wait_until

ROOT = Path(__file__).parents[2]
ENTRY = "[nrunner.spawners]\ndistant = nrunner.testing.distant_spawner:make_spawner\n"
AFAR = ("--spawner", "distant")


@pytest.fixture
def box(tmp_path: Path) -> Sandbox:
    """Return a sandbox in which there is a distant place."""
    box = Sandbox(tmp_path)
    info = tmp_path / "distant-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: distant\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY)
    box.env["PYTHONPATH"] = f"{ROOT}:{tmp_path}"
    return box


def get(control: Path, path: str) -> tuple[int, bytes]:
    """Ask the control API of a job that runs."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(control.readlink()))
        connection = http.client.HTTPConnection("job")
        connection.sock = stream
        connection.request("GET", f"/api/v1/{path}", headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_job_ends_as_it_does_here_and_leaves_nothing_there(box: Sandbox) -> None:
    box.write("good.sh", "#!/bin/sh\ncat data/word\nseq 5000 > $AVOCADO_TEST_OUTPUTDIR/numbers\n")
    box.write("bad.sh", "#!/bin/sh\necho why >&2; exit 1\n")
    box.write(
        "test_it.py", "import unittest\nclass T(unittest.TestCase):\n  def test(self): pass\n"
    )
    box.write("data/word", "content\n", executable=False)
    end = box.run("run", "./good.sh", "./bad.sh", "test_it.py", *AFAR)
    assert end.code == 1, end
    tests = box.tests()
    assert [each["status"] for each in tests.values()] == ["PASS", "FAIL", "PASS"]
    good = box.job / "test-results" / "1-._good.sh"
    assert (good / "stdout").read_text() == "content\n"
    assert (good / "output" / "numbers").read_text().splitlines()[-1] == "5000"
    assert (box.job / "test-results" / "2-._bad.sh" / "stderr").read_text() == "why\n"
    assert sorted(each.name for each in (box.job / "test-results").iterdir()) == [
        "1-._good.sh",
        "2-._bad.sh",
        "by-status",
    ]
    box.wait_nothing_runs()


def test_limits_are_those_that_are_set(box: Sandbox) -> None:
    box.write(
        "many.sh",
        "#!/bin/sh\nfor i in 1 2 3; do echo > $AVOCADO_TEST_OUTPUTDIR/$i; done\nseq 9000\n",
    )
    box.env["NRUNNER_SSH_FETCH_MOST_FILES"] = "2"
    end = box.run("run", "./many.sh", *AFAR)
    assert end.code == 0, end
    folder = box.job / "test-results" / "1-._many.sh"
    assert sorted(each.name for each in (folder / "output").iterdir()) == ["1", "2"]
    assert "output/3: there are more than 2 files" in (folder / "left-out.txt").read_text()
    [test] = box.results()["tests"]
    assert "left-out.txt" in str(test)
    box.env["NRUNNER_SSH_TREE_MOST_FILES"] = "1"
    box.write("other.sh", "#!/bin/sh\n")
    end = box.run("run", "./many.sh", "/bin/true", *AFAR)
    assert end.code == 1
    first, second = box.results()["tests"]
    assert (first["status"], first["cause"], second["status"]) == ("ERROR", "malformed", "PASS")
    assert "more than 1 files" in str(first)


def test_a_test_outside_of_the_folder_is_refused_with_the_reason(box: Sandbox) -> None:
    box.write("../outside.sh", "#!/bin/sh\n")
    box.write("inside.sh", "#!/bin/sh\n")
    assert box.run("run", "../outside.sh", "./inside.sh", *AFAR).code == 1
    first, second = box.results()["tests"]
    assert (first["status"], first["cause"], second["status"]) == ("ERROR", "malformed", "PASS")
    assert "could not bring ../outside.sh to where it runs: only what is in" in str(first)


def test_what_a_test_prints_is_read_while_it_runs(box: Sandbox, tmp_path: Path) -> None:
    box.env["NRUNNER_AGENT_ORPHAN_DEADLINE"] = "30"
    gate = tmp_path / "gate"
    box.write(
        "slow.sh", f"#!/bin/sh\necho one\nwhile [ ! -e {gate} ]; do sleep 0.02; done\necho two\n"
    )
    run = box.start("run", "./slow.sh", *AFAR)
    run.wait_started(1)
    control = box.job / "control"
    wait_until(lambda: get(control, "tasks/1/log/stdout") == (200, b"one\n"), "its output is read")
    run.signal(signal.SIGKILL)
    run.process.communicate()
    again = box.start("jobs", "resume", "latest")
    again.wait_said("JOB ID")
    wait_until(lambda: _is_read_again(control), "its output is read by whoever goes on")
    gate.touch()
    assert again.wait().code == 0
    assert (box.job / "test-results" / "1-._slow.sh" / "stdout").read_text() == "one\ntwo\n"


def _is_read_again(control: Path) -> bool:
    try:
        return get(control, "tasks/1/log/stdout") == (200, b"one\n")
    except OSError:
        return False  # the first one's socket


def test_a_controller_that_is_killed_is_gone_on_with(box: Sandbox, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    box.env["NRUNNER_AGENT_ORPHAN_DEADLINE"] = "30"
    box.write("slow.sh", f"#!/bin/sh\necho x >> {marks}; seq 9000; sleep 0.5\n")
    run = box.start("run", "./slow.sh", *AFAR)
    run.wait_started(1)
    run.signal(signal.SIGKILL)
    run.process.communicate()
    end = box.run("jobs", "resume", "latest")
    assert end.code == 0, end
    assert marks.read_text() == "x\n"
    text = "".join(f"{number}\n" for number in range(1, 9001))
    assert (box.job / "test-results" / "1-._slow.sh" / "stdout").read_text() == text
    box.wait_nothing_runs()


def test_one_ctrl_c_is_enough(box: Sandbox, tmp_path: Path) -> None:
    gate = tmp_path / "begun"
    box.write("slow.sh", f"#!/bin/sh\necho begun; touch {gate}; exec sleep 1000\n")
    run = box.start("run", "./slow.sh", *AFAR)
    wait_until(gate.exists, "it has begun")
    os.kill(run.pid, signal.SIGINT)
    assert run.wait().code == 8
    assert (box.job / "test-results" / "1-._slow.sh" / "stdout").read_text() == "begun\n"
    box.wait_nothing_runs()


def test_facts_of_the_system_there_come_home_with_each_test(box: Sandbox) -> None:
    box.write("commands", "pwd\n", executable=False)
    box.env["NRUNNER_SYSINFO_COLLECTIBLES_COMMANDS"] = "commands"
    end = box.run("run", "/bin/true", "/bin/false", "--sysinfo-per-test", *AFAR)
    assert end.code == 1, end
    for test in box.results()["tests"]:
        folder = box.job / test["outputs"]["sysinfo"]
        for when in ("pre", "post"):
            assert (folder / when / "pwd").read_text().strip() != str(box.here)
            assert (folder / when / "cpuinfo").exists()
    box.wait_nothing_runs()
