"""Avocado's own runner executables, run by nrunner: verdicts, logs, whiteboard, and their hangs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import avocado
from tests.functional.sandbox import Sandbox

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "avocado"
INSTRUMENTED = """\
import os, signal, tempfile, time, avocado
class T(avocado.Test):
    def test_pass(self):
        self.log.info("said to the log")
        print("printed")
        self.whiteboard = "wiped"
        with open(os.path.join(self.outputdir, "made"), "w") as file:
            file.write("kept")
    def test_fail(self):
        self.fail("not so")
    def test_error(self):
        raise RuntimeError("broken")
    def test_cancel(self):
        self.cancel("not now")
    def test_warn(self):
        self.log.warning("odd")
    @avocado.skip("never")
    def test_skip(self): ...
    def test_abort(self):
        tempfile.mkdtemp()
        os.abort()
    def test_leave(self):
        os._exit(3)
    def test_kill(self):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
"""
NO_MORE = "and its runner said nothing more for 2 s"
VERDICTS = {
    "pass": ("PASS", "test", ""),
    "fail": ("FAIL", "test", "not so"),
    "error": ("ERROR", "test", "broken"),
    "cancel": ("CANCEL", "test", "not now"),
    "warn": ("WARN", "test", "Test passed but there were warnings"),
    "skip": ("SKIP", "test", "never"),
    "abort": ("ERROR", "contract", "its process was killed by signal 6 (SIGABRT)"),
    "leave": ("ERROR", "contract", f"its process exited with status 3, {NO_MORE}"),
    "kill": ("ERROR", "contract", "ended with signal 9 and without a finished message"),
}


@pytest.fixture
def here(sandbox: Sandbox) -> Sandbox:
    """A sandbox with Avocado's programs on PATH."""
    sandbox.env["PATH"] += f"{os.pathsep}{avocado.programs()}"
    sandbox.env["NRUNNER_RUN_GRACE"] = "2"
    sandbox.env["TMPDIR"] = str(sandbox.write("tmp/x", "", executable=False).parent)
    (sandbox.here / "tmp" / "x").unlink()
    return sandbox


def test_avocados_own_tests_get_their_verdicts_whatever_they_do(here: Sandbox) -> None:
    here.write("test_it.py", INSTRUMENTED, executable=False)
    end = here.run("run", "test_it.py", "--max-parallel-tasks", "4")
    assert end.code == 1
    tests = {name.rpartition("_")[2]: each for name, each in here.tests().items()}
    verdicts = {name: (each["status"], each["cause"]) for name, each in tests.items()}
    assert verdicts == {name: verdict[:2] for name, verdict in VERDICTS.items()}
    for name, (_, _, detail) in VERDICTS.items():
        assert detail in tests[name]["detail"]
    good = tests["pass"]
    assert (good["kind"], good["whiteboard"]) == ("avocado-instrumented", "wiped")
    assert "said to the log" in content(here, good, "debug.log")
    assert content(here, good, "stdout") == "printed\n"
    assert content(here, good, "whiteboard") == "wiped"
    assert (here.job / good["outputs"]["data"] / "made").read_text() == "kept"
    assert [*Path(here.env["TMPDIR"]).glob("tmp*")] == []
    here.wait_nothing_runs()


def content(sandbox: Sandbox, test: dict[str, Any], name: str) -> str:
    return (sandbox.job / test["outputs"][name]).read_text()


UNITTEST = """\
import os, unittest
class U(unittest.TestCase):
    def test_pass(self): ...
    def test_fail(self): self.assertEqual(1, 2)
    def test_error(self): raise RuntimeError("broken")
    def test_skip(self): self.skipTest("never")
    @unittest.expectedFailure
    def test_xfail(self): self.fail()
    def test_leave(self): os._exit(3)
    def test_abort(self): os.abort()
"""
TAPS = {
    "good.t": "1..2\nok 1\nok 2\n",
    "bad.t": "1..2\nok 1\nnot ok 2\n",
    "skip.t": "1..0 # SKIP never\n",
    "bail.t": "1..2\nok 1\nBail out!\n",
}
PROGRAMS = {
    "ends-well.sh": "echo well; echo err >&2",
    "ends-badly.sh": "printf no-newline; exit 3",
}
STOCK = ("exec-test", "tap", "python-unittest")


def test_avocados_other_executables_say_what_our_runners_say(here: Sandbox) -> None:
    here.write("test_u.py", UNITTEST, executable=False)
    for name, text in TAPS.items():
        here.write(name, f"#!/bin/sh\ncat <<'END'\n{text}END\n")
    for name, text in PROGRAMS.items():
        here.write(name, f"#!/bin/sh\n{text}\n")
    words = ["run", "test_u.py", *TAPS, *PROGRAMS, "--max-parallel-tasks", "4"]
    theirs = [f"--runner-executable={kind}=avocado-runner-{kind}" for kind in STOCK]
    assert here.run(*words, *theirs).code == 1
    stock, job = here.tests(), here.job
    assert here.run(*words).code == 1
    ours = here.tests()
    said = {name: (each["status"], each["cause"]) for name, each in stock.items()}
    assert said == {name: (each["status"], each["cause"]) for name, each in ours.items()}
    assert len(said) == 13
    for name in (*TAPS, *PROGRAMS):
        mine, their = (each[name]["outputs"]["stdout"] for each in (ours, stock))
        assert (job / their).read_bytes() == (here.job / mine).read_bytes()
    assert Path(job, stock["ends-well.sh"]["outputs"]["stderr"]).read_text() == "err\n"
    assert "runner.log" in stock["good.t"]["outputs"]  # so it was theirs
    here.wait_nothing_runs()


def test_a_limit_of_time_leaves_nothing_of_avocados_executables(here: Sandbox) -> None:
    """Ended by SIGTERM they leave their child running."""
    here.write("sleeps.sh", "#!/bin/sh\nsleep 300\n")
    text = "import avocado, time\nclass T(avocado.Test):\n    def test_a(self): time.sleep(300)\n"
    here.write("test_sleeps.py", text, executable=False)
    words = ["--runner-executable", "exec-test=avocado-runner-exec-test", "--task-timeout", "1"]
    end = here.run("run", "sleeps.sh", "test_sleeps.py", *words, "--max-parallel-tasks", "2")
    assert end.code == 8
    verdicts = {(each["status"], each["cause"]) for each in here.tests().values()}
    assert verdicts == {("INTERRUPT", "timeout")}
    here.wait_nothing_runs()


def test_settings_reach_those_of_avocados_executables_that_take_them(here: Sandbox) -> None:
    """With one that it does not take each of them complains, and will refuse in the future."""
    here.write("skips.sh", "#!/bin/sh\nexit 77\n")
    here.write("test_it.py", INSTRUMENTED, executable=False)
    here.write("nrunner.toml", "[runner.exectest.exitcodes]\nskip = [77]\n", executable=False)
    words = ["skips.sh", "test_it.py:T.test_pass"]
    end = here.run("run", *words, "--runner-executable", "exec-test=avocado-runner-exec-test")
    assert end.code == 0
    tests = here.tests()
    assert [each["status"] for each in tests.values()] == ["SKIP", "PASS"]
    for test in tests.values():
        assert "only values essential for its runner" not in content(here, test, "runner.log")


def test_avocado_is_found_beside_the_interpreter_of_the_tests(sandbox: Sandbox) -> None:
    shutil.copytree(EXAMPLES, sandbox.here / "avocado")
    without = sandbox.run("run", "avocado")
    hint = "avocado-runner-avocado-instrumented of Avocado has to be on PATH, or beside --python"
    assert without.out.count(hint) == 2
    python = str(avocado.programs() / "python")
    assert sandbox.run("run", "avocado", "--python", python).code == 0
    assert len(sandbox.tests()) == 2


def test_an_executable_that_is_named_and_not_there_is_told(sandbox: Sandbox) -> None:
    sandbox.run("run", "/bin/true", "--runner-executable", "exec-test=./none")
    [test] = sandbox.results()["tests"]
    assert (test["status"], test["cause"]) == ("ERROR", "malformed")
    assert test["detail"] == (
        '"runner.executables" names \'./none\' for kind "exec-test": no such program'
    )


def test_an_executable_can_be_named_for_a_kind_that_nobody_knows(sandbox: Sandbox) -> None:
    sandbox.write("runs", '#!/bin/sh\nexec ./really "$@"\n')
    sandbox.write("really", '#!/bin/sh\necho "$@" > words; exit 3\n')
    sandbox.write("odd.json", '{"kind": "odd", "uri": "x"}', executable=False)
    sandbox.run("run", "odd.json", "--runner-executable", "odd=./runs")
    [test] = sandbox.results()["tests"]
    assert test["cause"] == "contract"
    assert "task-run -i 1-x " in (sandbox.here / "words").read_text()
