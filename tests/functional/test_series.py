"""`--isolation=module`: the tests of a module share a process, one after another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.functional.sandbox import Sandbox, wait_until

MODULE = ("--isolation", "module")

FIXTURES = """
import os, unittest
STATE = []
def note(text):
    with open("notes.txt", "a") as file:
        file.write(f"{__name__} {text} {os.getpid()}\\n")
def setUpModule(): note("setUpModule")
def tearDownModule(): note("tearDownModule")
class First(unittest.TestCase):
    @classmethod
    def setUpClass(cls): note("setUpClass")
    @classmethod
    def tearDownClass(cls): note("tearDownClass")
    def test_one(self):
        note("one")
        print("one", len(STATE), os.environ["NRUNNER_TEST_LOGDIR"])
        STATE.append(1)
    def test_two(self):
        note("two")
        print("two", len(STATE), os.environ["NRUNNER_TEST_LOGDIR"])
class Second(unittest.TestCase):
    def test_three(self):
        note("three")
        with open(os.environ["NRUNNER_TEST_OUTPUTDIR"] + "/kept", "w") as file:
            file.write("kept")
"""


def notes(sandbox: Sandbox) -> list[list[str]]:
    return [line.split() for line in (sandbox.here / "notes.txt").read_text().splitlines()]


def said(sandbox: Sandbox, name: str, stream: str = "stdout") -> str:
    (path,) = (sandbox.job / "test-results").glob(f"*{name}/{stream}")
    return path.read_text()


def verdicts(sandbox: Sandbox) -> dict[str, tuple[str, str]]:
    return {
        name.partition(":")[2]: (each["status"], each["fail_reason"] or "")
        for name, each in sandbox.tests().items()
    }


def test_a_module_is_set_up_once_for_all_its_tests(sandbox: Sandbox, portable_python: Path) -> None:
    sandbox.write("test_fixtures.py", FIXTURES)
    assert (
        sandbox.run("run", *MODULE, "--python", str(portable_python), "test_fixtures.py").code == 0
    )
    words = [word for _, word, _ in notes(sandbox)]
    assert words == [
        *("setUpModule", "setUpClass", "one", "two", "tearDownClass"),
        *("three", "tearDownModule"),
    ]
    assert len({pid for _, _, pid in notes(sandbox)}) == 1
    for name, seen in (("one", "0"), ("two", "1")):
        word, state, folder = said(sandbox, f"test_{name}").split()
        assert (word, state) == (name, seen)
        assert f"test_{name}" in folder
    (kept,) = (sandbox.job / "test-results").glob("*three/output/kept")
    assert kept.read_text() == "kept"
    sandbox.wait_nothing_runs()


def test_modules_run_beside_each_other_each_in_one_process(sandbox: Sandbox) -> None:
    for name in "abcde":
        sandbox.write(f"test_{name}.py", FIXTURES)
    references = [f"test_{name}.py" for name in "abcde"]
    end = sandbox.run("run", *MODULE, "--shuffle", "--max-parallel-tasks", "3", *references)
    assert end.code == 0
    assert len(sandbox.tests()) == 15
    processes = {(module, pid) for module, _, pid in notes(sandbox)}
    assert len(processes) == len({pid for _, pid in processes}) == 5
    assert [word for _, word, _ in notes(sandbox)].count("tearDownModule") == 5


WRONG = """
import os, unittest
def tearDownModule(): raise OSError("disk")
class A(unittest.TestCase):
    @classmethod
    def tearDownClass(cls): 1 / 0
    def test_1(self): pass
    def test_2(self): self.fail("no")
    def test_3(self): pass
class B(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("boom")
    def test_1(self): pass
    def test_2(self): pass
class C(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise unittest.SkipTest("not here")
    def test_1(self): pass
    def test_2(self): pass
class D(unittest.TestCase):
    @unittest.skip("why")
    def test_1(self): pass
    @unittest.expectedFailure
    def test_2(self): self.fail()
    def test_3(self): raise SystemExit(3)
    def test_4(self): print("done")
"""


def test_what_goes_wrong_is_told_of_the_test_it_belongs_to(
    sandbox: Sandbox, portable_python: Path
) -> None:
    sandbox.write("test_wrong.py", WRONG)
    assert sandbox.run("run", *MODULE, "--python", str(portable_python), "test_wrong.py").code == 1
    zero = "tearDownClass (test_wrong.A): ZeroDivisionError: division by zero"
    boom = "setUpClass (test_wrong.B): RuntimeError: boom"
    assert verdicts(sandbox) == {
        "A.test_1": ("PASS", ""),
        "A.test_2": ("FAIL", "AssertionError: no"),
        "A.test_3": ("ERROR", zero),
        "B.test_1": ("ERROR", boom),
        "B.test_2": ("ERROR", boom),
        "C.test_1": ("SKIP", "not here"),
        "C.test_2": ("SKIP", "not here"),
        "D.test_1": ("SKIP", "why"),
        "D.test_2": ("PASS", ""),
        "D.test_3": ("ERROR", "SystemExit: 3"),
        "D.test_4": ("ERROR", "tearDownModule (test_wrong): OSError: disk"),
    }
    assert "done" in said(sandbox, "D.test_4")


def test_a_module_that_cannot_be_set_up_or_imported_fails_all_its_tests(sandbox: Sandbox) -> None:
    tests = "\nimport unittest\nclass T(unittest.TestCase):\n"
    tests += "    def test_1(self): pass\n    def test_2(self): pass\n"
    sandbox.write("test_set.py", "def setUpModule(): raise OSError('disk')" + tests)
    sandbox.write("test_import.py", tests + "import nowhere_to_be_found\n")
    assert sandbox.run("run", *MODULE, "test_set.py", "test_import.py").code == 1
    reasons = [each["fail_reason"] for each in sandbox.tests().values()]
    missing = "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    assert reasons == ["setUpModule (test_set): OSError: disk"] * 2 + [missing] * 2


HARMFUL = """
import os, signal, subprocess, sys, threading, time, unittest
BEGUN = threading.Event()
def setUpModule(): print("set up", flush=True)
class T(unittest.TestCase):
    def test_a(self): pass
    def test_b_exits(self): os._exit(3)
    def test_c(self): print("c")
    def test_d_hangs(self): time.sleep(600)
    def test_e(self): print("e")
    def test_f_closes(self): os.closerange(3, 256)
    def test_g(self): print("g")
    def test_h_forks(self):
        if os.fork() == 0:
            return
    def test_i(self): print("i")
    def test_j_says_much(self): print("x" * 3_000_000)
    def test_k(self): print("k")
    def test_l_dies_later(self):
        threading.Thread(target=lambda: (BEGUN.wait(), os.kill(os.getpid(), 9))).start()
    def test_m(self):
        BEGUN.set()
        time.sleep(600)
    def test_n(self): print("n")
    def test_o_leaves(self): subprocess.Popen(["sleep", "600"])
"""


SHOUTS = """
import os, socket, stat, unittest
class T(unittest.TestCase):
    def test_a(self): pass
    def test_b_writes_to_all_it_has_inherited(self):
        for name in os.listdir("/proc/self/fd"):
            try:
                if int(name) > 2 and stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    os.write(int(name), b"what is this?")
            except OSError:
                pass
    def test_c(self): pass
"""


@pytest.mark.parametrize("isolation", ["module", "process"])
def test_a_test_that_writes_to_all_it_has_inherited_harms_nobody(
    sandbox: Sandbox, isolation: str
) -> None:
    sandbox.write("test_shouts.py", SHOUTS)
    sandbox.write("test_other.py", SHOUTS.replace("stat.S_ISSOCK", "not "))
    argv = ("--isolation", isolation, "test_shouts.py", "test_other.py")
    assert sandbox.run("run", *argv).code == 0
    tests = sandbox.results()["tests"]
    assert {(each["status"], len(each["attempts"])) for each in tests} == {("PASS", 1)}, tests


def test_a_test_that_harms_its_process_takes_no_other_verdict_with_it(sandbox: Sandbox) -> None:
    sandbox.write("test_harmful.py", HARMFUL)
    flags = ("--task-timeout", "2", "--max-parallel-tasks", "1")
    assert sandbox.run("run", *MODULE, *flags, "test_harmful.py").code == 9
    found = verdicts(sandbox)
    bad = {name.partition(".test_")[2]: each for name, each in found.items() if each[0] != "PASS"}
    assert bad == {
        "b_exits": ("ERROR", "exited with status 3 without a report"),
        "d_hangs": ("INTERRUPT", "past its 2 s limit"),
        "m": ("ERROR", "killed by signal 9 (SIGKILL) without a report"),
        "o_leaves": ("WARN", bad["o_leaves"][1]),
    }
    left = r"left 1 process \(\d+ sleep 600, \d\.\d s old\) behind"
    assert re.fullmatch(left, bad["o_leaves"][1])
    for name in "cegikn":
        assert said(sandbox, f"T.test_{name}").splitlines()[-1] == name
    # A fork after each of b, d, f (whose process cannot go on) and m sets the module up anew.
    assert [said(sandbox, f"T.test_{name}").count("set up") for name in "cegn"] == [1, 1, 1, 1]
    assert len(said(sandbox, "T.test_j_says_much")) == 3_000_001
    sandbox.wait_nothing_runs()


STOPPED = """
import os, time, unittest
def setUpModule(): open("setup.txt", "w").close()
def tearDownModule(): open("teardown.txt", "w").close()
class T(unittest.TestCase):
    def test_a(self): self.fail()
    def test_b(self): open("b.txt", "w").close()
"""


def test_fail_fast_ends_a_series_with_its_module_torn_down(sandbox: Sandbox) -> None:
    sandbox.write("test_stopped.py", STOPPED)
    assert sandbox.run("run", *MODULE, "--fail-fast", "test_stopped.py").code == 1
    assert verdicts(sandbox)["T.test_b"][0] == "CANCEL"
    assert (sandbox.here / "setup.txt").exists()
    assert not (sandbox.here / "b.txt").exists()
    wait_until((sandbox.here / "teardown.txt").exists, "the module is torn down")
    sandbox.wait_nothing_runs()


@pytest.mark.parametrize("kills", [1, 2])
def test_an_interrupted_series_leaves_nothing_behind(sandbox: Sandbox, kills: int) -> None:
    sandbox.write(
        "test_slow.py",
        "import time, unittest\nclass T(unittest.TestCase):\n"
        "    def test_a(self): time.sleep(600)\n    def test_b(self): pass\n",
    )
    run = sandbox.start("run", *MODULE, "test_slow.py")
    run.wait_started(1)
    for _ in range(kills):
        run.signal(2)
    assert run.wait().code & 8
    assert {name: each[0] for name, each in verdicts(sandbox).items()} == {
        "T.test_a": "INTERRUPT",
        "T.test_b": "CANCEL",
    }
    sandbox.wait_nothing_runs()
