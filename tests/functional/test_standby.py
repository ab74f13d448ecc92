"""Tests that stand by in a zygote: they begin at once, and not before their time."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.functional.sandbox import Sandbox, wait_until

ROW = """
import os, time, unittest
def note(word):
    with open("notes.txt", "a") as file:
        print(word, file=file)
class T(unittest.TestCase):
    def look(self):
        note("begin " + self.id())
        print(os.path.dirname(os.environ["TMPDIR"]))
        time.sleep(0.02)
        note("end " + self.id())
""" + "".join(f"    def test_{each}(self): self.look()\n" for each in "abcdefghijkl")


def places(sandbox: Sandbox) -> list[str]:
    """Return the slots that tests of ROW said they were in, in the order of the tests."""
    found = sorted((sandbox.job / "test-results").glob("*/stdout"))
    return [Path(path.read_text().split("\n")[0]).name for path in found]


def test_tests_follow_each_other_without_ever_running_together(sandbox: Sandbox) -> None:
    sandbox.write("test_row.py", ROW)
    end = sandbox.run("run", "--max-parallel-tasks", "1", "test_row.py")
    assert end.code == 0, end
    words = [line.split() for line in (sandbox.here / "notes.txt").read_text().splitlines()]
    assert [word for word, _ in words] == ["begin", "end"] * 12
    assert [name for _, name in words[::2]] == [name for _, name in words[1::2]]
    # One was made ready while another ran.
    assert len(set(places(sandbox))) == 2
    sandbox.wait_nothing_runs()


LEAVES = """
import fcntl, os, subprocess, sys, time, unittest
HOLD = '''
import fcntl, time
file = open("lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(60)
'''
class T(unittest.TestCase):
    def test_a_leaves_what_holds_a_lock(self):
        words = [sys.executable, "-c", HOLD]
        holder = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
        holder.stdout.readline()
        time.sleep(0.3)
    def test_b_takes_the_lock(self):
        with open("lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    def test_c_takes_the_lock(self):
        self.test_b_takes_the_lock()
"""


def test_what_a_test_has_left_is_ended_before_the_next_one_begins(sandbox: Sandbox) -> None:
    sandbox.write("test_leaves.py", LEAVES)
    sandbox.run("run", "--max-parallel-tasks", "1", "test_leaves.py")
    tests = {name.rpartition(".")[2]: each for name, each in sandbox.tests().items()}
    assert tests["test_b_takes_the_lock"]["status"] == "PASS", tests
    assert tests["test_c_takes_the_lock"]["status"] == "PASS"
    left = tests["test_a_leaves_what_holds_a_lock"]["attempts"][0]["leaks"]
    assert ["flock" in each["command"] for each in left] == [True]
    sandbox.wait_nothing_runs()


WAITS = """
import time, unittest
class T(unittest.TestCase):
    def test_a_waits(self):
        open("a", "w").close()
        time.sleep(60)
    def test_b_is_next(self): open("b", "w").close()
    def test_c_comes_later(self): open("c", "w").close()
"""


def test_who_stands_by_when_a_job_is_interrupted_never_runs(sandbox: Sandbox) -> None:
    sandbox.write("test_waits.py", WAITS)
    run = sandbox.start("run", "--max-parallel-tasks", "1", "test_waits.py")
    wait_until((sandbox.here / "a").exists, "the first test runs")
    slots = sandbox.job / "test-results" / ".slots" / "process-1"
    wait_until(lambda: len(list(slots.glob("[0-9]"))) == 2, "another stands by")
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    found = [(each["status"], each["cause"]) for each in sandbox.results()["tests"]]
    assert found == [("INTERRUPT", "cancelled"), *[("CANCEL", "cancelled")] * 2]
    assert not (sandbox.here / "b").exists()
    sandbox.wait_nothing_runs()


SLOW = """
import time, unittest
class T(unittest.TestCase):
    def test_a(self): time.sleep(1.2)
    def test_b(self): time.sleep(0.1)
"""


def test_the_time_of_a_test_begins_with_it_and_not_while_it_stands_by(sandbox: Sandbox) -> None:
    sandbox.write("test_slow.py", SLOW)
    end = sandbox.run("run", "--max-parallel-tasks", "1", "test_slow.py")
    assert end.code == 0
    first, second = sandbox.results()["tests"]
    assert second["actual_time_start"] >= first["actual_time_end"] - 0.1
    assert second["time_elapsed"] < 1


BOTH = """
import time, unittest
class T(unittest.TestCase):
    def test_a_is_long(self): time.sleep(3)
    def test_b_is_short(self): time.sleep(0.3)
    def test_c(self): pass
    def test_d(self): pass
    def test_e(self): pass
"""


def test_who_stands_by_behind_a_long_test_does_not_wait_for_it(sandbox: Sandbox) -> None:
    sandbox.write("test_both.py", BOTH)
    end = sandbox.run("run", "--max-parallel-tasks", "2", "test_both.py")
    assert end.code == 0
    last = [line for line in end.lines if "PASS (" in line][-1]
    assert "test_a_is_long" in last
    sandbox.wait_nothing_runs()
