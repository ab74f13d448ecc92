"""Limits of tests: what is told of a slow one, and what is kept of one that is ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nrunner.runners import stack
from tests.functional.sandbox import Sandbox, wait_until

MODULE = """
import faulthandler, itertools, os, signal, subprocess, threading, time, unittest

class T(unittest.TestCase):
    def test_waits(self):
        print("so far", flush=True)
        thread = threading.Thread(target=self.wait, name="helper")
        thread.start()
        self.wait()
    def wait(self):
        while not os.path.exists(os.environ["NRUNNER_TEST_LOGDIR"] + "/evidence.txt"):
            time.sleep(0.05)
"""


def evidence(sandbox: Sandbox, test: dict[str, Any]) -> str:
    return (sandbox.job / test["outputs"]["evidence.txt"]).read_text()


def wait_until_kept(sandbox: Sandbox) -> None:
    wait_until(lambda: list(sandbox.base.glob("*/test-results/*/evidence.txt")), "it is kept")


@pytest.mark.parametrize("isolation", ["process", "module", "interpreter"])
def test_a_slow_test_is_told_with_the_line_it_is_at_and_does_not_notice(
    sandbox: Sandbox, isolation: str
) -> None:
    sandbox.write("test_a.py", MODULE, executable=False)
    flags = ("--task-slow", "1.5", "--isolation", isolation)
    end = sandbox.run("run", "test_a.py", *flags)
    assert end.code == 0
    assert re.search(r"^NOTICE .*test_waits is slow: .*; test_a.py:12 in wait$", end.out, re.M)
    (test,) = sandbox.results()["tests"]
    assert sorted(test["outputs"]) == ["evidence.txt", "stdout"]
    assert (sandbox.job / test["outputs"]["stdout"]).read_text() == "so far\n"
    text = evidence(sandbox, test)
    assert re.match(r"slow: it runs for \d+(\.\d)? s\n", text)
    main, helper = text.partition("thread MainThread")[2].split("thread helper")
    assert f'"{sandbox.here}/test_a.py", line 9, in test_waits' in main
    assert "threading.py" in helper
    assert "the end of stdout:\n  so far\n" in text
    (notice,) = (each for each in sandbox.records() if each["type"] == "notice")
    assert "in test_waits" in notice["stack"]


def test_every_interpreter_says_where_it_is(sandbox: Sandbox, portable_python: Path) -> None:
    sandbox.write("test_a.py", MODULE.replace("evidence.txt", "never"), executable=False)
    flags = ("--task-timeout", "2", "--python", str(portable_python))
    end = sandbox.run("run", "test_a.py", *flags)
    assert end.code == 8
    (test,) = sandbox.results()["tests"]
    assert test["attempts"][0]["doing"] == "test_a.py:12 in wait"
    assert "INTERRUPT: past its 2 s limit; test_a.py:12 in wait (" in end.out


def test_a_slow_program_is_told_with_the_process_that_it_waits_for(sandbox: Sandbox) -> None:
    sandbox.write("slow.sh", "#!/bin/sh\nsleep 60\ntrue\n")
    run = sandbox.start("run", "./slow.sh", "--task-slow", "1")
    wait_until_kept(sandbox)
    (sleeper,) = (pid for pid, text in sandbox.payloads().items() if text == "sleep 60")
    os.kill(sleeper, signal.SIGTERM)
    end = run.wait()
    assert end.code == 0
    said = re.search(r"slow: it runs for \d+ s; sleep 60 \((\d+)\) waits in (\w+)$", end.out, re.M)
    assert said is not None
    (test,) = sandbox.results()["tests"]
    rows = [line.split() for line in evidence(sandbox, test).splitlines()[3:5]]
    (shell, sleep) = rows
    assert shell[-1] == "./slow.sh" or shell[-1].endswith("/slow.sh")
    assert [sleep[0], sleep[1], sleep[5]] == [str(sleeper), shell[0], said[2]]
    assert sleep[0] == said[1]


def test_evidence_is_there_while_the_slow_test_still_runs(sandbox: Sandbox) -> None:
    sandbox.write("slow.sh", "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.02; done\n")
    run = sandbox.start("run", "./slow.sh", "--task-slow", "0.1")
    wait_until_kept(sandbox)
    (sandbox.here / "go").touch()
    assert run.wait().code == 0


def test_what_a_silent_test_did_last_is_kept_before_it_is_ended(sandbox: Sandbox) -> None:
    script = "#!/bin/sh\necho said\nsetsid sleep 300 &\nsleep 301\necho never\n"
    sandbox.write("mute.sh", script)
    end = sandbox.run("run", "./mute.sh", "--task-silence", "0.5")
    assert end.code == 8
    (test,) = sandbox.results()["tests"]
    text = evidence(sandbox, test)
    assert text.startswith("no output for 0.5 s\n")
    assert text.count("sleep 30") == 2
    assert "the end of stdout:\n  said\n" in text
    assert re.fullmatch(r"sleep 30\d \(\d+\) waits in \w+", test["attempts"][0]["doing"])
    sandbox.wait_nothing_runs()


def test_what_hangs_when_the_time_of_the_job_is_over_is_kept_too(sandbox: Sandbox) -> None:
    sandbox.write("hangs.sh", "#!/bin/sh\nsleep 300\n")
    end = sandbox.run("run", "./hangs.sh", "--job-timeout", "3")
    assert end.code == 8
    (test,) = sandbox.results()["tests"]
    assert test["detail"] == "past the job's 3 s limit"
    assert re.fullmatch(r"sleep 300 \(\d+\) waits in \w+", test["attempts"][0]["doing"])
    assert "sleep 300" in evidence(sandbox, test)
    sandbox.wait_nothing_runs()


def test_nothing_is_kept_of_what_people_end(sandbox: Sandbox) -> None:
    sandbox.write("hangs.sh", "#!/bin/sh\nexec sleep 300\n")
    run = sandbox.start("run", "./hangs.sh")
    run.wait_started(1)
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    assert sandbox.results()["tests"][0]["outputs"] == {}


BUSY = """
import itertools, unittest
class T(unittest.TestCase):
    def test_busy(self):
        sum(itertools.repeat(1))
"""


def test_a_test_that_computes_outside_of_python_is_asked_another_way_before_it_is_ended(
    sandbox: Sandbox,
) -> None:
    sandbox.write("test_a.py", BUSY, executable=False)
    end = sandbox.run("run", "test_a.py", "--task-slow", "0.2", "--task-timeout", "0.9")
    assert end.code == 8
    (test,) = sandbox.results()["tests"]
    assert test["attempts"][0]["doing"] == "test_a.py:5 in test_busy"
    slow, ended = evidence(sandbox, test).split("past its 0.9 s limit")
    assert "Python, the latest call first" not in slow
    assert 'test_a.py", line 5 in test_busy' in ended
    assert re.search(r"slow: .*; its Python \(\d+\) runs$", end.out, re.M)


STUBBORN = """
import faulthandler, os, signal, time, unittest
class T(unittest.TestCase):
    def test_resets_all_signals(self):
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        time.sleep(1.5)
    def test_holds_all_signals_back(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(1.5)
        self.assertEqual(signal.sigpending(), set())
    def test_becomes_another_program(self):
        os.execvp("sh", ["sh", "-c", "sleep 1.5; exit 3"])
    def test_uses_the_fault_handler(self):
        with open(os.environ["NRUNNER_TEST_OUTPUTDIR"] + "/dump", "w+") as file:
            faulthandler.enable(file)
            faulthandler.register(signal.SIGUSR1, file, all_threads=False)
            time.sleep(1.5)
            file.seek(0)
            self.assertEqual(file.read(), "")
            os.kill(os.getpid(), signal.SIGUSR1)
            file.seek(0)
            self.assertIn("test_uses_the_fault_handler", file.read())
    def test_is_interrupted_by_signals_of_its_own(self):
        heard = []
        signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        time.sleep(1.5)
        self.assertGreater(len(heard), 5)
"""


def test_tests_that_have_a_way_of_their_own_with_signals_are_not_disturbed(
    sandbox: Sandbox,
) -> None:
    sandbox.write("test_a.py", STUBBORN, executable=False)
    sandbox.run("run", "test_a.py", "--task-slow", "0.4", "--max-parallel-tasks", "5")
    tests = {each["name"].rpartition(".")[2]: each for each in sandbox.results()["tests"]}
    # One that becomes another program has no report; that its end is not ours is what counts.
    other = tests.pop("test_becomes_another_program")
    assert other["detail"] == "exited with status 3 without a report"
    assert {each["status"] for each in tests.values()} == {"PASS"}
    silent = ("test_resets_all_signals", "test_holds_all_signals_back")
    for name, test in tests.items():
        assert ("in test_" in evidence(sandbox, test)) is (name not in silent)


def test_a_bomb_of_processes_is_kept_in_bounds(sandbox: Sandbox) -> None:
    script = "#!/bin/sh\nfor i in $(seq 80); do sleep 300 & echo $i; done\nwait\n"
    sandbox.write("bomb.sh", script)
    end = sandbox.run("run", "./bomb.sh", "--task-silence", "1")
    assert end.code == 8
    (test,) = sandbox.results()["tests"]
    text = evidence(sandbox, test)
    assert text.count("sleep 300") == 49
    assert "and 31 more processes\n" in text
    sandbox.wait_nothing_runs()


def test_nothing_is_kept_of_tests_that_are_in_time(sandbox: Sandbox) -> None:
    sandbox.write("test_a.py", BUSY.replace("sum(itertools.repeat(1))", "pass"), executable=False)
    limits = ("--task-slow", "20", "--task-silence", "20", "--task-timeout", "30")
    assert sandbox.run("run", "test_a.py", "/bin/true", *limits).code == 0
    assert [each["outputs"] for each in sandbox.results()["tests"]] == [{}, {}]


def test_being_ready_to_tell_leaves_no_module_and_no_other_signal_behind() -> None:
    source = """
import signal, sys
from nrunner.runners import stack
before = {each: signal.getsignal(each) for each in signal.valid_signals()}
stack.arm()
after = {each: signal.getsignal(each) for each in signal.valid_signals()}
assert {each for each in before if before[each] != after[each]} == {stack.TELL}, after
assert "faulthandler" not in sys.modules
"""
    root = Path(stack.__file__).resolve().parents[1]
    subprocess.run([sys.executable, "-c", source], check=True, cwd=root)
