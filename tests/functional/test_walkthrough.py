"""The walk-through of the RFC: two tests of one file, one of which takes long to prepare.

Both require a file; the first also a requirement that sleeps, from a plugin in shell. It then
never ends, and so the job's limit ends it, with all that it started.
"""

from __future__ import annotations

import re

import pytest

from tests.functional.sandbox import Sandbox, check_moves

TESTS = '''
"""Tests as in the walk-through."""
import subprocess
import time
import unittest

import mylib


class Test(unittest.TestCase):
    def test_1(self):
        """Never ends, and starts children.

        :nrunner: requires={"type": "file", "uri": "mylib.py"}
        :nrunner: requires={"type": "sleepy", "uri": "bed"}
        """
        subprocess.Popen(["sleep", "300"])
        subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 300 & wait"], start_new_session=True)
        while True:
            time.sleep(60)

    def test_2(self):
        """Is quick.

        :nrunner: requires={"type": "file", "uri": "mylib.py"}
        """
        self.assertEqual(mylib.hello(), "hello")
'''

SLEEPY = """#!/bin/sh
# A runner in shell: sleeps for as long as is worth noting, then says so.
id= socket=
while [ $# -gt 0 ]; do
    case $1 in
        -i) id=$2; shift ;;
        -s) socket=$2; shift ;;
    esac
    shift
done
exec python3 - "$id" "$socket" << 'END'
import json, socket, sys, time
name, path = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as peer:
    peer.connect(path)
    def say(**message):
        line = json.dumps({"id": name, "time": time.monotonic(), **message})
        peer.sendall(line.encode() + b"\\n")
    say(status="started", output_dir="")
    time.sleep(1.0)
    say(status="finished", result="pass")
END
"""


@pytest.fixture
def suite(sandbox: Sandbox) -> Sandbox:
    sandbox.write("mylib.py", 'def hello():\n    return "hello"\n', executable=False)
    sandbox.write("tests.py", TESTS, executable=False)
    sandbox.plug_in("nrunner-runner-sleepy", SLEEPY)
    sandbox.env["NRUNNER_RUN_GRACE"] = "0.3"
    return sandbox


def test_a_task_starts_while_another_one_prepares_and_the_jobs_limit_ends_what_never_ends(
    suite: Sandbox,
) -> None:
    run = suite.start("run", "tests.py", "--job-timeout", "3", "--max-parallel-tasks", "2")
    run.wait_started(2)
    end = run.wait()
    suite.wait_nothing_runs()

    assert end.code == 8
    assert re.fullmatch(r" \(2/2\) tests\.py:Test\.test_2: PASS \(\d\.\d\d s\)", end.lines[2])
    assert re.fullmatch(
        r" \(1/2\) tests\.py:Test\.test_1: INTERRUPT: past the job's 3 s limit;"
        r" tests\.py:\d+ in test_1, sleep 300 \(\d+\) waits in \w+ \(\d\.\d\d s\)",
        end.lines[3],
    )
    assert end.lines[-2] == (
        "RESULTS    : PASS 1 | ERROR 0 | FAIL 0 | SKIP 0 | WARN 0 | INTERRUPT 1 | CANCEL 0"
    )

    tests = suite.tests()
    first, second = tests["tests.py:Test.test_1"], tests["tests.py:Test.test_2"]
    assert (first["status"], first["cause"]) == ("INTERRUPT", "timeout")
    assert (second["status"], second["cause"]) == ("PASS", "test")

    ways = check_moves(suite.records())
    beginning = ["REQUESTED", "TRIAGING", "PREPARING", "READY", "STARTING", "STARTED"]
    assert [phase for phase, _ in ways[1]] == [*beginning, "INTERRUPTED"]
    assert [phase for phase, _ in ways[2]] == [*beginning, "FINISHED"]
    slow, quick = dict(ways[1]), dict(ways[2])
    assert slow["PREPARING"] < quick["STARTED"] < quick["FINISHED"] < slow["READY"]
    assert slow["READY"] - slow["PREPARING"] >= 1.0


def test_a_requirement_that_cannot_be_met_skips_its_task_alone(suite: Sandbox) -> None:
    (suite.here / "mylib.py").unlink()
    (suite.here / "tests.py").write_text(TESTS.replace("import mylib\n", ""))
    suite.write(
        "other.json",
        '{"kind": "noop", "requirements": [{"type": "sleepless", "uri": "bed"}]}',
        executable=False,
    )
    end = suite.run("run", "tests.py", "other.json", "/bin/true")
    assert end.code == 1
    tests = suite.tests()
    for name in ("tests.py:Test.test_1", "tests.py:Test.test_2"):
        assert (tests[name]["status"], tests[name]["cause"]) == ("SKIP", "requirement")
        assert "mylib.py" in tests[name]["detail"]
        assert [each["phase"] for each in tests[name]["phases"]][-1] == "DISCARDED"
    assert (tests["noop"]["status"], tests["noop"]["cause"]) == ("ERROR", "malformed")
    assert 'no runner for kind "sleepless"' in tests["noop"]["detail"]
    assert tests["/bin/true"]["status"] == "PASS"
    check_moves(suite.records())
