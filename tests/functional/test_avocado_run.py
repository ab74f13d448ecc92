"""Our runner executables where Avocado looks for its own: under ``avocado run``, and its checks."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import avocado
from tests.functional import corpus
from tests.functional.sandbox import Sandbox

KINDS = ("exec-test", "noop", "python-unittest", "tap")
UNITTEST = """\
import os, unittest
class U(unittest.TestCase):
    def test_pass(self): print("printed")
    def test_fail(self): self.assertEqual(1, 2)
    def test_error(self): raise RuntimeError("broken")
    def test_skip(self): self.skipTest("never")
    def test_abort(self): os.abort()
    def test_exit(self): os._exit(0)
"""

ROBOT = "*** Test Cases ***\nGood\n    Log    fine\nBad\n    Fail    numbers differ\n"
GO = """package it
import "testing"
func TestGood(t *testing.T) {}
func TestBad(t *testing.T) { t.Error("numbers differ") }
"""


def _sh(text: str, kind: str = "exec-test") -> dict[str, Any]:
    return {"kind": kind, "uri": "/bin/sh", "args": ["-c", text]}


TESTS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"kind": "noop", "uri": "nothing"}, "PASS"),
    (_sh("echo well; echo err >&2"), "PASS"),
    (_sh("exit 3"), "FAIL"),
    (_sh("kill -9 $$"), "FAIL"),
    (_sh("echo 1..1; echo ok 1", "tap"), "PASS"),
    (_sh("echo 1..1; echo not ok 1", "tap"), "FAIL"),
    (_sh("echo '1..0 # SKIP never'", "tap"), "SKIP"),
    ({"kind": "python-unittest", "uri": "test_u.py:U.test_pass"}, "PASS"),
    ({"kind": "python-unittest", "uri": "test_u.py:U.test_fail"}, "FAIL"),
    ({"kind": "python-unittest", "uri": "test_u.py:U.test_error"}, "ERROR"),
    ({"kind": "python-unittest", "uri": "test_u.py:U.test_skip"}, "SKIP"),
    # With Avocado's own executable these two would never end.
    ({"kind": "python-unittest", "uri": "test_u.py:U.test_abort"}, "ERROR"),
    ({"kind": "python-unittest", "uri": "test_u.py:U.test_exit"}, "ERROR"),
    # Avocado itself knows none of these, but for the first.
    ({"kind": "dry-run", "uri": "nothing"}, "CANCEL"),
    ({"kind": "robot", "uri": "it.robot:It.Good"}, "PASS"),
    ({"kind": "robot", "uri": "it.robot:It.Bad"}, "FAIL"),
    ({"kind": "golang", "uri": "it_test.go:TestGood"}, "PASS"),
    ({"kind": "golang", "uri": "it_test.go:TestBad"}, "FAIL"),
)


@pytest.fixture
def path(sandbox: Sandbox) -> str:
    """A PATH on which ours stand before Avocado's."""
    more = ("dry-run", "golang", "robot")
    assert sandbox.run("runner", "link", "ours", *KINDS, *more).code == 0
    own = Path(sandbox.here, "ours")
    return os.pathsep.join(map(str, (own, avocado.programs(), os.defpath)))


def test_avocado_gets_right_results_from_our_executables(sandbox: Sandbox, path: str) -> None:
    sandbox.write("test_u.py", UNITTEST, executable=False)
    sandbox.write("it.robot", ROBOT, executable=False)
    sandbox.write("it_test.go", GO, executable=False)
    sandbox.write("go.mod", "module example.com/it\n", executable=False)
    sandbox.env["GOCACHE"] = str(corpus.GO_CACHE)
    recipes = json.dumps([recipe for recipe, _ in TESTS])
    sandbox.write("tests.json", recipes, executable=False)
    words = ["run", "tests.json", "--job-results-dir", "results", "--disable-sysinfo"]
    done = subprocess.run(
        [avocado.programs() / "avocado", *words, "--max-parallel-tasks", "4"],
        cwd=sandbox.here,
        env={**sandbox.env, "PATH": path},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 1, done
    job = sandbox.here / "results" / "latest"
    found = json.loads((job / "results.json").read_text())["tests"]
    tests = sorted(found, key=lambda each: int(each["id"].partition("-")[0]))
    assert [each["status"] for each in tests] == [status for _, status in TESTS]
    logs = [Path(each["logdir"]) for each in tests]
    assert (logs[1] / "stdout").read_text() == "well\n"
    assert (logs[1] / "stderr").read_text() == "err\n"
    assert (logs[7] / "stdout").read_text().startswith("printed\n")
    assert "AssertionError: 1 != 2" in tests[8]["fail_reason"]
    sandbox.wait_nothing_runs()


def test_avocados_examples_are_found_as_avocado_finds_them(tmp_path: Path) -> None:
    """The same kinds, names and order; Avocado leaves out what our resolvers find beside."""
    sandbox = Sandbox(tmp_path, avocado.source())
    words = [avocado.programs() / "avocado", "list", "examples/tests"]
    listed = subprocess.run(
        words, cwd=sandbox.here, env=sandbox.env, capture_output=True, text=True, timeout=50
    )
    theirs = [tuple(line.split()) for line in listed.stdout.splitlines()]
    assert len(theirs) == 75
    ours = sandbox.run("list", "examples/tests", "--static").lines
    assert [tuple(line.split()[:2]) for line in ours] == theirs


CHECKS = (
    *("help", "schema_capabilities"),
    *("runnable_run_no_args", "runnable_run_uri_only"),
    *("runnable_run_recipe_no_args", "runnable_run_recipe_specific_kind"),
    *("task_run_no_args", "task_run_identifier_only"),
    *("task_run_recipe_no_args", "task_run_recipe_specific_kind"),
)


def test_avocados_own_checks_of_runner_executables_accept_ours(tmp_path: Path) -> None:
    """They are tests of Avocado's, for which its source is needed; so we run them."""
    sandbox = Sandbox(tmp_path, avocado.source())
    links = tmp_path / "ours"
    assert sandbox.run("runner", "link", str(links), *KINDS).code == 0
    sandbox.env["PATH"] = os.pathsep.join(map(str, (links, avocado.programs(), os.defpath)))
    recipes = [
        {
            "kind": "avocado-instrumented",
            "uri": f"selftests/functional/nrunner_interface.py:Interface.test_{check}",
            "identifier": f"{kind} {check}",
            "variant": {
                "paths": ["/"],
                "variant_id": kind,
                "variant": [["/", [["/", "runner", f"avocado-runner-{kind}"]]]],
            },
        }
        for kind in KINDS
        for check in CHECKS
    ]
    (tmp_path / "checks.json").write_text(json.dumps(recipes))
    end = sandbox.run("run", str(tmp_path / "checks.json"), "--max-parallel-tasks", "4")
    assert end.code == 0, end.out
    tests = sandbox.results()["tests"]
    assert [each["status"] for each in tests] == ["PASS"] * len(KINDS) * len(CHECKS)
    for test in tests:
        log = (sandbox.job / test["outputs"]["debug.log"]).read_text()
        assert f"avocado-runner-{test['name'].partition(' ')[0]} " in log
