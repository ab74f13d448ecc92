"""Our own runner executables against the published conformance suite and the recordings.

The recordings were made with Avocado's runners; ours must send the same messages with the same
fields of the same types. On purpose different: an unexpected success fails, a TAP producer that
exits with a status other than 0 fails, reasons are given where there were none, and heartbeats
of very short tests may be missing.
"""

import base64
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from nrunner.runnable import Runnable
from nrunner.testing.executable_contract import (
    RequirementExecutableContract,
    RunnerExecutableContract,
)
from nrunner.testing.receiver import receiving
from tests.contract.sample_kind import GolangTests, PytestTests, PythonUnittestTests, RobotTests
from tests.functional.sandbox import wait_until

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "tests/fixtures/wire"
START = "import sys; sys.path.insert(0, {root!r}); sys.argv[0] = 'nrunner-runner-{kind}'; "
RUN = "from nrunner.runners.executable import main; sys.exit(main())"

UNITTEST = """
import os, time, unittest
class T(unittest.TestCase):
    def test_pass(self): pass
    def test_fail(self): self.assertEqual(1, 2, "numbers differ")
    def test_error(self): raise RuntimeError("boom")
    @unittest.skip("no reason")
    def test_skip(self): pass
    @unittest.expectedFailure
    def test_xfail(self): self.fail()
    @unittest.expectedFailure
    def test_xpass(self): pass
    def test_sleep(self): time.sleep(1.2)
    def test_exit(self): os._exit(0)
    def test_endless(self): time.sleep(60)
"""


def words_of(python, kind):
    return [str(python), "-I", "-S", "-c", START.format(root=str(ROOT), kind=kind) + RUN]


class _Ours(RunnerExecutableContract):
    @pytest.fixture(autouse=True)
    def _interpreter(self, portable_python):
        self.python = portable_python

    def executable(self):
        return words_of(self.python, self.kind)


class TestNoop(_Ours):
    kind = "noop"

    def passing(self, folder):
        return Runnable("noop")


class _OurRequirement(_Ours, RequirementExecutableContract):
    pass


class TestFile(_OurRequirement):
    kind = "file"

    def passing(self, folder):
        return Runnable("file", ".")

    def failing(self, folder):
        return Runnable("file", "none")


class TestPython(_OurRequirement):
    kind = "python"

    def passing(self, folder):
        return Runnable("python", sys.executable, kwargs={"version": ">=3"})

    def failing(self, folder):
        return Runnable("python", sys.executable, kwargs={"version": ">=9"})


class TestExecTest(_Ours):
    kind = "exec-test"

    def passing(self, folder):
        return Runnable("exec-test", "/bin/sh", ("-c", '[ "$A" = 1 ]'), {"A": "1"})

    def failing(self, folder):
        return Runnable("exec-test", "/bin/false")

    def endless(self, folder):
        return Runnable("exec-test", "/bin/sleep", ("60",))


class TestTap(_Ours):
    kind = "tap"

    def passing(self, folder):
        return Runnable("tap", "/bin/echo", ("1..1\nok 1",))

    def failing(self, folder):
        return Runnable("tap", "/bin/echo", ("1..1\nnot ok 1",))

    def endless(self, folder):
        return Runnable("tap", "/bin/sh", ("-c", "trap '' TERM; sleep 60 & sleep 60; sleep 60"))


class TestPytest(PytestTests, _Ours):
    pass


class TestPythonUnittest(PythonUnittestTests, _Ours):
    pass


class TestGolang(GolangTests, _Ours):
    pass


class TestRobot(RobotTests, _Ours):
    """With Robot Framework in an interpreter that is another one than the executable's."""


class TestSysinfo(_Ours):
    kind = "sysinfo"

    def passing(self, folder):
        return Runnable("sysinfo", "pre", kwargs={"sysinfo": {"commands": ["echo one"]}})

    def failing(self, folder):
        (folder / "taken").touch()
        return Runnable("sysinfo", "post", kwargs={"folder": f"{folder}/taken"})

    def endless(self, folder):
        return Runnable("sysinfo", "pre", kwargs={"sysinfo": {"commands": ["sleep 60"]}})


def _tap(text, status=0):
    return ["-u", "/bin/sh", "-a", "base64:LWM=", "-a", f"printf '{text}'; exit {status}"]


SKIP_77 = '{"runner.exectest.exitcodes.skip": [77]}'
TODO = r"ok 2 - second # TODO unexpected\nnot ok 3 - third # TODO known\n"
CASES = {
    "dry-run": ("dry-run", []),
    "noop": ("noop", []),
    "exec-true": ("exec-test", ["-u", "/bin/true"]),
    "exec-false": ("exec-test", ["-u", "/bin/false"]),
    "exec-killed-by-signal": ("exec-test", ["-u", "/bin/sh", "-a", "-c", "-a", "kill -9 $$"]),
    "exec-missing-program": ("exec-test", ["-u", "/nonexistent"]),
    "exec-all-256-bytes": ("exec-test", ["-u", "/bin/cat", "-a", "bytes"]),
    "exec-skip": (
        "exec-test",
        ["-u", "/bin/sh", "-a", "-c", "-a", "exit 77", "-c", SKIP_77],
    ),
    "tap-bail": ("tap", _tap(r"1..2\nok 1\nBail out! no db\n")),
    "tap-empty": ("tap", _tap(r"hello\n")),
    "tap-fail": ("tap", _tap(r"1..2\nok 1 - first\nnot ok 2 - bad thing\n")),
    "tap-ok": ("tap", _tap(r"1..3\nok 1 - first\n" + TODO)),
    "tap-pass": ("tap", _tap(r"1..1\nok 1 - first\n", 3)),
    "tap-plan": ("tap", _tap(r"1..3\nok 1\n")),
    "tap-skip": ("tap", _tap(r"1..0 # SKIP nothing here\n")),
    "tap-skip1": ("tap", _tap(r"1..2\nok 1 # SKIP a\nok 2 # SKIP b\n")),
    **{
        f"python-unittest-{name}": ("python-unittest", ["-u", f"ut.py:T.test_{name}"])
        for name in ("pass", "fail", "error", "skip", "xfail", "xpass", "sleep", "nosuch")
    },
}
OTHER_RESULTS = {"tap-pass": ("pass", "fail"), "python-unittest-xpass": ("pass", "fail")}
OUR_FIELDS = {"fail_reason", "class_name", "fail_class", "traceback"}
REASONS = ("dry-run", "exec-missing", "python-unittest-")


HUNG = {
    "exec-sigterm": "interrupted",
    "python-unittest-exit": "error",
    "python-unittest-term": "interrupted",
}
"""Recordings without an end, and which one ours come to."""
ELSEWHERE = {
    "exec-task-recipe": "test_a_task_recipe_gives_the_messages_of_the_recording",
    "exec-two-interleaved-uris": "test_every_status_uri_gets_all_messages",
    "instrumented-pass": "there is none of ours: tests/functional/test_avocado_executables.py",
    "python-unittest-bad": "what is wrong with a uri is said in our own words",
}


def recording(name):
    lines = (RECORDINGS / f"{name}.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_all_recordings_are_compared():
    assert {each.stem for each in RECORDINGS.glob("*.ndjson")} == {*CASES, *HUNG, *ELSEWHERE}


@pytest.mark.parametrize("name", HUNG)
def test_what_had_no_end_in_the_recording_has_one_from_ours(tmp_path, name):
    kind = "exec-test" if name.startswith("exec") else "python-unittest"
    words = ["-u", "/bin/sleep", "-a", "60"] if kind == "exec-test" else []
    words = words or ["-u", "ut.py:T.test_" + ("exit" if name.endswith("exit") else "endless")]
    recorded = recording(name)
    ours = run(tmp_path, Path(sys.executable), kind, words, ends=not name.endswith("term"))
    same_fields(ours[0], recorded[0])
    assert {each["status"] for each in ours[1:-1]} <= {"running"}
    assert (ours[-1]["status"], ours[-1]["result"]) == ("finished", HUNG[name])


def test_a_task_recipe_gives_the_messages_of_the_recording(tmp_path, portable_python):
    recorded = recording("exec-task-recipe")
    runnable = {"kind": "exec-test", "uri": "/bin/echo", "args": ["-n", "hi"]}
    with receiving(tmp_path / "sock") as receiver:
        recipe = {"id": "7-x", "runnable": runnable, "status_uris": [receiver.uri]}
        (tmp_path / "task.json").write_text(json.dumps(recipe))
        command = [*words_of(portable_python, "exec-test"), "task-run-recipe", "task.json"]
        assert subprocess.run(command, cwd=tmp_path, timeout=50).returncode == 0
        ours = receiver.messages()
    assert kinds_of(ours) == kinds_of(recorded)
    by_kind = {(each["status"], each.get("type")): each for each in recorded}
    for message in ours:
        example = by_kind[message["status"], message.get("type")]
        assert {**example, **dict.fromkeys(_DIFFER, 0)} == {**message, **dict.fromkeys(_DIFFER, 0)}


_DIFFER = ("time", "output_dir")


def run(folder, python, kind, words, ends=True):
    """Return the messages of a task; one that does not end by itself gets SIGTERM."""
    (folder / "ut.py").write_text(UNITTEST)
    (folder / "bytes").write_bytes(bytes(range(256)))
    with receiving(folder / "sock") as receiver:
        command = [*words_of(python, kind), "task-run", "-i", "1", "-j", "J", "-k", kind, *words]
        process = subprocess.Popen(
            [*command, f"output_dir={folder}/out", "-s", receiver.uri],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            if not ends:
                wait_until(lambda: b'"running"' in b"".join(receiver.streams), "it runs")
                process.terminate()
            out, err = process.communicate(timeout=50)
        assert (process.returncode, err, out) == (0, b"", b"")
        return receiver.messages()


def kinds_of(messages):
    """Return the messages without heartbeats, each as (status, type)."""
    found = [(each["status"], each.get("type")) for each in messages]
    return [each for each in found if each != ("running", None)]


@pytest.mark.parametrize("name", CASES)
def test_our_messages_are_those_of_the_recording(tmp_path, portable_python, name):
    kind, words = CASES[name]
    recorded = recording(name)
    ours = run(tmp_path, portable_python, kind, words)
    assert kinds_of(ours) == kinds_of(recorded)
    by_kind = {(each["status"], each.get("type")): each for each in recorded}
    for message in ours:
        example = by_kind[message["status"], message.get("type")]
        same_fields(message, example)
    assert ours[0]["output_dir"] == f"{tmp_path}/out"
    result = ours[-1]["result"]
    assert (recorded[-1]["result"], result) in (
        (result, result),
        OTHER_RESULTS.get(name),
    )
    assert ours[-1].get("returncode") == recorded[-1].get("returncode")
    if name.startswith(REASONS) and "fail_reason" in recorded[-1]:
        assert ours[-1]["fail_reason"] == recorded[-1]["fail_reason"]


def same_fields(ours, recorded):
    for key, value in recorded.items():
        if key != "fail_reason" or key in ours:
            assert type(ours[key]) is type(value), key
    assert set(ours) - set(recorded) <= OUR_FIELDS


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(("exec", "tap"))])
def test_our_output_messages_hold_the_same_bytes_as_the_recording(tmp_path, name):
    kind, words = CASES[name]
    recorded = {each.get("type"): each for each in recording(name)}
    for message in run(tmp_path, Path(sys.executable), kind, words):
        if message.get("type"):
            assert message["log"] == recorded[message["type"]]["log"]


def test_heartbeats_come_twice_a_second(tmp_path, portable_python):
    found = run(tmp_path, portable_python, "exec-test", ["-u", "/bin/sleep", "-a", "1.3"])
    beats = [each["time"] for each in found if each["status"] == "running" and "type" not in each]
    assert len(beats) >= 3
    assert all(0.4 < later - earlier < 2 for earlier, later in pairwise(beats))


def test_every_status_uri_gets_all_messages(tmp_path, portable_python):
    with receiving(tmp_path / "a") as first, receiving(tmp_path / "b") as second:
        words = [*words_of(portable_python, "exec-test"), "task-run", "-i", "1"]
        words += ["-u", "/bin/true", "-s", first.uri, "-s", second.uri]
        assert subprocess.run(words, cwd=tmp_path, timeout=50).returncode == 0
        assert first.messages()
        assert kinds_of(first.messages()) == kinds_of(second.messages())


def test_large_output_comes_in_pieces_that_stock_servers_take(tmp_path):
    words = ["-u", "/bin/sh", "-a", "-c", "-a", "head -c 10000000 /dev/zero"]
    found = run(tmp_path, Path(sys.executable), "exec-test", words)
    pieces = [base64.b64decode(m["log"]["__base64_encoded__"]) for m in found if "log" in m]
    assert sum(map(len, pieces)) == 10_000_000
    assert max(map(len, pieces)) <= 4 << 20
