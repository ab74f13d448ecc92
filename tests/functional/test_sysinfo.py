"""Facts of the system: of a job, of its tests, and apart from both."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.functional.sandbox import Sandbox, check_moves, wait_until


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Return a sandbox whose lists count how often they are used."""
    sandbox.write("commands", "echo $LC_ALL; echo x >> counted\nno-such-command\n")
    sandbox.write("files", "/proc/version\n/no/such/file\n")
    sandbox.write("fail-commands", "echo failed\n")
    sandbox.env.update(
        NRUNNER_SYSINFO_COLLECTIBLES_COMMANDS="commands",
        NRUNNER_SYSINFO_COLLECTIBLES_FILES="files",
        NRUNNER_SYSINFO_COLLECTIBLES_FAIL_COMMANDS="fail-commands",
    )
    return sandbox


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


COUNTS = "echo $LC_ALL; echo x >> counted"
USUAL = [COUNTS, "left-out.txt", "no-such-command", "version"]


def test_a_job_has_facts_from_before_and_after_it(box: Sandbox) -> None:
    assert box.run("run", "/bin/false", "--sysinfo").code == 1
    folder = box.job / "sysinfo"
    assert names(folder) == ["post", "pre"]
    assert names(folder / "pre") == USUAL
    assert names(folder / "post") == sorted([*USUAL, "echo failed"])
    assert (folder / "pre" / COUNTS).read_text() == "C\n"
    assert (folder / "pre/version").read_bytes() == Path("/proc/version").read_bytes()
    assert (folder / "pre/left-out.txt").read_text().splitlines() == [
        "/no/such/file: no such file or directory",
        "no-such-command: there is no such command here",
    ]
    assert not (box.job / "test-results/1-_bin_false/sysinfo").exists()


def test_each_test_has_facts_of_where_it_ran_that_take_none_of_its_time(box: Sandbox) -> None:
    box.write("commands", "sleep 1.2\n")
    box.write("sleeps.sh", "#!/bin/sh\nexec sleep 300\n")
    box.write("recipe.json", '{"kind": "noop"}', executable=False)
    box.env["NRUNNER_RUN_GRACE"] = "0.5"
    box.write(
        "test_it.py",
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.fail()\n"
        "    def test_b(self):\n        pass\n",
    )
    references = ("/bin/true", "./sleeps.sh", "recipe.json", "test_it.py")
    words = ("--sysinfo-per-test", "--task-timeout", "1", "--max-parallel-tasks", "5")
    end = box.run("run", *references, *words)
    assert end.code == 9
    tests = box.results()["tests"]
    statuses = ["PASS", "INTERRUPT", "PASS", "FAIL", "PASS"]
    assert [each["status"] for each in tests] == statuses
    for test in tests:
        folder = box.job / test["outputs"]["sysinfo"]
        assert names(folder / "pre") == ["left-out.txt", "sleep 1.2", "version"]
        has_failed = test["status"] != "PASS"
        assert ("echo failed" in names(folder / "post")) == has_failed
        assert test["time_elapsed"] < 1.2 or test["status"] == "INTERRUPT"
    assert not (box.job / "sysinfo").exists()
    check_moves(box.records())
    box.wait_nothing_runs()


def test_tests_of_a_series_have_facts_each(box: Sandbox) -> None:
    text = "import unittest\nclass T(unittest.TestCase):\n"
    box.write("test_it.py", text + "".join(f"    def test_{n}(self): pass\n" for n in range(3)))
    assert box.run("run", "test_it.py", "--sysinfo-per-test", "--isolation", "module").code == 0
    assert (box.here / "counted").read_text() == "x\n" * 6
    for test in box.results()["tests"]:
        assert names(box.job / test["outputs"]["sysinfo"]) == ["post", "pre"]


def test_a_test_that_waits_for_its_facts_can_be_cancelled(box: Sandbox) -> None:
    box.write("commands", "echo begun >> begun; exec sleep 300\n")
    box.env["NRUNNER_SYSINFO_COLLECT_COMMANDS_TIMEOUT"] = "0"
    run = box.start("run", "/bin/true", "/bin/true", "--sysinfo-per-test", "--grace", "0.5")
    wait_until((box.here / "begun").exists, "a survey began")
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    assert {each["status"] for each in box.results()["tests"]} <= {"INTERRUPT", "CANCEL"}
    check_moves(box.records())
    box.wait_nothing_runs()


def hanging(box: Sandbox) -> Sandbox:
    """Have a command that prints something, and hangs for ever."""
    box.write("commands", "echo begun; echo begun >> begun; exec sleep 300\n")
    box.env["NRUNNER_SYSINFO_COLLECT_COMMANDS_TIMEOUT"] = "0"
    return box


def test_a_job_that_waits_for_its_facts_can_be_interrupted(box: Sandbox) -> None:
    run = hanging(box).start("run", "/bin/true", "--sysinfo")
    wait_until((box.here / "begun").exists, "a survey began")
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    box.wait_nothing_runs()
    [test] = box.results()["tests"]
    assert test["status"] == "CANCEL"
    assert names(box.job / "sysinfo") == ["pre"], "who is waited for no more asks again"
    left_out = (box.job / "sysinfo/pre/left-out.txt").read_text()
    assert "it was ended before it was complete" in left_out
    [kept] = (box.job / "sysinfo/pre").glob("echo begun*")
    assert kept.read_text() == "begun\n"
    assert "system information is not complete" in (box.job / "job.log").read_text()


@pytest.mark.parametrize("command", [("sysinfo", "facts"), ("run", "/bin/true", "--sysinfo")])
def test_a_survey_ends_with_who_makes_it(box: Sandbox, command: tuple[str, ...]) -> None:
    run = hanging(box).start(*command)
    wait_until((box.here / "begun").exists, "a survey began")
    run.signal(signal.SIGKILL)
    run.wait()
    box.wait_nothing_runs()


def test_a_command_that_does_not_end_is_given_up_alone(box: Sandbox) -> None:
    box.write("commands", "echo so far; sleep 300\nuptime\n")
    box.env["NRUNNER_SYSINFO_COLLECT_COMMANDS_TIMEOUT"] = "1.5"
    assert box.run("run", "/bin/true", "--sysinfo").code == 0
    folder = box.job / "sysinfo/post"
    assert (folder / "echo so far; sleep 300").read_text() == "so far\n"
    assert "did not end within 1.5 s" in (folder / "left-out.txt").read_text()
    assert (folder / "uptime").stat().st_size
    box.wait_nothing_runs()


def test_who_wants_no_facts_gets_none(box: Sandbox) -> None:
    box.env["NRUNNER_SYSINFO_COLLECT_ENABLED"] = "true"
    box.env["NRUNNER_SYSINFO_COLLECT_PER_TEST"] = "true"
    for flag in ("--disable-sysinfo", "--dry-run"):
        assert box.run("run", "/bin/true", flag).code == 0
        assert not (box.here / "counted").exists()
        assert not list(box.job.rglob("sysinfo"))


def test_a_list_that_is_not_there_is_told_before_anything_runs(box: Sandbox) -> None:
    box.env["NRUNNER_SYSINFO_COLLECTIBLES_FILES"] = "none"
    end = box.run("run", "/bin/true", "--sysinfo")
    assert end.code == 4
    assert "none cannot be read: no such file or directory" in end.err


def test_facts_can_be_had_without_a_job(box: Sandbox) -> None:
    end = box.run("sysinfo", "facts")
    assert (end.code, end.out) == (0, f"Logged system information to {box.here}/facts\n")
    assert names(box.here / "facts/pre") == USUAL
    assert box.run("sysinfo").code == 0
    [folder] = box.here.glob("sysinfo-*")
    assert names(folder / "pre") == USUAL
    box.write("taken", "", executable=False)
    end = box.run("sysinfo", "taken")
    assert end.code == 2
    assert "could not collect system information: cannot write" in end.err


def test_a_survey_can_be_a_task(box: Sandbox) -> None:
    lists = '{"commands": ["echo one"], "files": ["/proc/version"]}'
    text = f'{{"kind": "sysinfo", "uri": "pre", "kwargs": {{"sysinfo": {lists}}}}}'
    box.write("facts.json", text, executable=False)
    assert box.run("run", "facts.json").code == 0
    [test] = box.results()["tests"]
    folder = box.job / test["outputs"]["output"] / "sysinfo/pre"
    assert names(folder) == ["echo one", "version"]
