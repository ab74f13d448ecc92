"""The child that runs unittest, as a process: what a test can do to it, and what a test sees."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Outcome
from nrunner.runners.python_unittest import PythonUnittest
from nrunner.spawners.agentfile import agent_file
from nrunner.testing.runner_contract import make_place, run_once

ROOT = Path(__file__).resolve().parents[2]

ROUGH = """
import faulthandler, os, signal, sys, threading, unittest

class T(unittest.TestCase):
    def test_leaves(self): os._exit(3)
    def test_leaves_well(self): os._exit(0)
    def test_aborts(self): faulthandler.disable(); os.abort()
    def test_terminates_itself(self): os.kill(os.getpid(), signal.SIGTERM); signal.pause()
    def test_closes_everything(self): os.closerange(0, 200)
    def test_closes_streams(self): sys.stdout.close(); sys.stderr.close()
    def test_replaces_streams(self): sys.stdout = sys.stderr = None
    def test_redirects(self):
        file = os.open("mine", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
    def test_deletes_its_folder(self):
        import shutil
        shutil.rmtree(os.environ["TMPDIR"])
    def test_goes_elsewhere(self): os.chdir("/")
    def test_forks(self):
        if os.fork() == 0:
            self.fail("in the fork")
        self.assertEqual(os.waitstatus_to_exitcode(os.wait()[1]), 1)
    def test_fails_at_exit(self):
        import atexit
        atexit.register(os._exit, 5)
    def test_fails_and_dies_at_exit(self):
        import atexit
        atexit.register(os.abort)
        self.fail("first")
    def test_prints(self):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        os.write(1, b"raw \\xff\\n")
"""


def run(folder: Path, test: str, python: Path | None = None) -> Outcome:
    (folder / "rough.py").write_text(ROUGH)
    config = {"runner.python": str(python or sys.executable)}
    runnable = Runnable("python-unittest", f"rough.py:T.test_{test}", config=config)
    return run_once(PythonUnittest(), runnable, make_place(folder))


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("leaves", "exited with status 3 without a report"),
        ("leaves_well", "exited with status 0 without a report"),
        ("aborts", "killed by signal 6 (SIGABRT) without a report"),
        ("terminates_itself", "killed by signal 15 (SIGTERM) without a report"),
        ("fails_at_exit", "reported PASS, then exited with status 5"),
    ],
)
def test_a_test_that_leaves_its_runner_without_a_word_breaks_the_contract(
    tmp_path: Path, test: str, reason: str
) -> None:
    outcome = run(tmp_path, test)
    assert (outcome.result, outcome.fail_reason) == (Result.ERROR, reason)
    assert outcome.contract


@pytest.mark.parametrize(
    "test",
    [
        "closes_everything",
        "closes_streams",
        "replaces_streams",
        "redirects",
        "deletes_its_folder",
        "goes_elsewhere",
        "forks",
        "prints",
    ],
)
def test_whatever_a_test_does_to_its_process_the_report_arrives(tmp_path: Path, test: str) -> None:
    outcome = run(tmp_path, test)
    assert outcome.result is Result.PASS, outcome


def test_the_report_is_not_written_into_what_a_test_put_in_place_of_its_output(
    tmp_path: Path,
) -> None:
    run(tmp_path, "redirects")
    assert (tmp_path / "mine").read_text() == ""


def test_a_failure_before_a_crash_stays_a_failure(tmp_path: Path) -> None:
    outcome = run(tmp_path, "fails_and_dies_at_exit")
    assert outcome.result is Result.FAIL
    assert outcome.fail_reason == ("AssertionError: first; then killed by signal 6 (SIGABRT)")


def test_what_a_test_prints_is_in_the_files_before_the_report_of_unittest(
    tmp_path: Path, portable_python: Path
) -> None:
    assert run(tmp_path, "prints", portable_python).result is Result.PASS
    stdout = (tmp_path / "log/stdout").read_bytes()
    assert stdout.startswith(b"to stdout\nraw \xff\n-----")
    assert stdout.endswith(b"\nOK\n")
    assert (tmp_path / "log/stderr").read_bytes() == b"to stderr\n"


CURIOUS = """
import json, sys, unittest
seen = {"modules": sorted(sys.modules), "path": list(sys.path)}
class T(unittest.TestCase):
    def test(self):
        with open("seen.json", "w") as file:
            json.dump({**seen, "main": sys.modules["__main__"].__file__}, file)
"""

NRUNNER_OF_THEIR_OWN = """
import sys, unittest
import nrunner, nrunner.messages
class T(unittest.TestCase):
    def test(self):
        self.assertEqual(nrunner.messages.THEIRS, 1)
"""


def start(folder: Path, start_with: list[str], uri: str) -> Outcome:
    spec = {"uri": uri, "base_dir": str(folder), "report": str(folder / "report")}
    done = subprocess.run(
        [*start_with, json.dumps(spec)], cwd=folder, capture_output=True, text=True, timeout=50
    )
    assert (folder / "report").exists(), done.stderr
    return Outcome.from_json(json.loads((folder / "report").read_text()))


def starts(python: Path, folder: Path) -> dict[str, list[str]]:
    return {
        "file": [str(python), f"{ROOT}/runners/entry.py", "unittest-child"],
        "zipapp": [str(python), str(agent_file(folder / "cache")), "unittest-child"],
    }


@pytest.mark.parametrize("way", ["file", "zipapp"])
def test_a_test_sees_nothing_of_nrunner(tmp_path: Path, portable_python: Path, way: str) -> None:
    (tmp_path / "curious.py").write_text(CURIOUS)
    words = starts(portable_python, tmp_path)[way]
    # Without site, so that nothing an environment's .pth files load gets in the way.
    assert start(tmp_path, [words[0], "-S", *words[1:]], "curious.py:T.test").result is Result.PASS
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert [name for name in seen["modules"] if "nrunner" in name] == []
    assert seen["path"][0] == str(tmp_path)
    assert [place for place in seen["path"] if str(ROOT) in place or "agent-" in place] == []
    if way == "file":
        heavy = {"asyncio", "dataclasses", "subprocess", "socket", "typing"}
        bare = [words[0], "-S", "-c", "import sys, unittest; print(*sys.modules)"]
        known = subprocess.run(bare, capture_output=True, text=True).stdout.split()
        assert heavy.intersection(seen["modules"]) <= set(known)


@pytest.mark.parametrize("way", ["file", "zipapp"])
def test_a_project_with_a_package_called_nrunner_tests_its_own(
    tmp_path: Path, portable_python: Path, way: str
) -> None:
    (tmp_path / "nrunner").mkdir()
    (tmp_path / "nrunner/__init__.py").write_text("")
    (tmp_path / "nrunner/messages.py").write_text("THEIRS = 1\n")
    (tmp_path / "test_own.py").write_text(NRUNNER_OF_THEIR_OWN)
    words = starts(portable_python, tmp_path)[way]
    outcome = start(tmp_path, words, "test_own.py:T.test")
    assert outcome.result is Result.PASS, outcome


def test_a_traceback_from_the_zipapp_shows_the_users_lines_only(
    tmp_path: Path, portable_python: Path
) -> None:
    (tmp_path / "broken.py").write_text("import no_such_module_at_all\n")
    words = starts(portable_python, tmp_path)["zipapp"]
    outcome = start(tmp_path, words, "broken.py:T.test")
    assert outcome.traceback is not None
    assert "unittest_child" not in outcome.traceback
    assert 'broken.py", line 1' in outcome.traceback


MULTIPROCESSING = """
import multiprocessing, unittest
def double(x): return 2 * x
class T(unittest.TestCase):
    def test(self):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            self.assertEqual(pool.map(double, [1, 2]), [2, 4])
"""


@pytest.mark.parametrize("way", ["file", "zipapp"])
def test_a_test_may_spawn_interpreters_by_multiprocessing(tmp_path: Path, way: str) -> None:
    (tmp_path / "spawns.py").write_text(MULTIPROCESSING)
    words = starts(Path(sys.executable), tmp_path)[way]
    outcome = start(tmp_path, words, "spawns.py:T.test")
    assert outcome.result is Result.PASS, outcome


@pytest.mark.parametrize("name", ["test.test_json", "test.test_textwrap", "test.test_dict"])
def test_a_suite_of_cpython_gives_the_numbers_of_unittest(tmp_path: Path, name: str) -> None:
    bare = [sys.executable, "-m", "unittest", name]
    said = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True).stderr
    runnable = Runnable("python-unittest", name, kwargs={"module": name})
    outcome = run_once(PythonUnittest(), runnable, make_place(tmp_path))
    assert outcome.result is Result.PASS
    reason = outcome.fail_reason or ""
    assert f"Ran {reason.split(' ')[0]} tests in" in said
    skipped = reason.rpartition(", ")[2].split(" ")[0] if "skipped" in reason else "0"
    assert (f"skipped={skipped}" in said) == (skipped != "0")
