"""Bad input that gets past the command line: what becomes of it in a whole job.

What is refused before a job begins is tested in ``test_command_line``; here good tests run beside
the bad ones, and nothing of either is lost.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from nrunner.journal import read_records
from tests.functional.sandbox import Sandbox, check_moves


def recipes(sandbox: Sandbox, *runnables: dict[str, Any]) -> str:
    """Write a list of recipes; return its name."""
    sandbox.write("all.json", json.dumps(runnables), executable=False)
    return "all.json"


def program(uri: str, *args: str, **more: Any) -> dict[str, Any]:
    return {"kind": "exec-test", "uri": uri, "args": list(args), **more}


GOOD = program("/bin/true")


def verdicts(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Return status and cause of each task; the job's journal must agree with itself."""
    check_moves(sandbox.records())
    return [(each["status"], each["cause"]) for each in sandbox.results()["tests"]]


PASSED = ("PASS", "test")
MALFORMED = ("ERROR", "malformed")


def test_an_unknown_kind_is_an_error_that_names_the_nearest(sandbox: Sandbox) -> None:
    end = sandbox.run("run", recipes(sandbox, GOOD, {"kind": "exec-tset", "uri": "/bin/true"}))
    assert end.code == 1
    assert verdicts(sandbox) == [PASSED, MALFORMED]
    detail = sandbox.results()["tests"][1]["detail"]
    assert detail == 'no runner for kind "exec-tset" (did you mean "exec-test"?)'
    assert f"ERROR: {detail}" in end.out


def test_a_runner_executable_that_cannot_be_executed_is_no_runner(sandbox: Sandbox) -> None:
    (sandbox.bin / "nrunner-runner-shut").write_text("#!/bin/sh\n")
    (sandbox.bin / "nrunner-runner-folder").mkdir()
    sandbox.plug_in("nrunner-runner-broken", "#!/no/such/interpreter\n")
    names = recipes(sandbox, {"kind": "shut"}, {"kind": "folder"}, {"kind": "broken"}, GOOD)
    assert sandbox.run("run", names).code == 1
    assert verdicts(sandbox) == [MALFORMED, MALFORMED, MALFORMED, PASSED]
    details = [each["detail"] for each in sandbox.results()["tests"]]
    assert details[0].startswith('no runner for kind "shut"')
    assert details[1].startswith('no runner for kind "folder"')
    assert "its interpreter '/no/such/interpreter' is missing" in details[2]


def test_odd_kinds_are_unknown_ones(sandbox: Sandbox) -> None:
    kinds = ["../exec-test", "a/b", "x" * 10_000, "new\nline", "noop\0", "Noop", "é\x1b[31m"]
    end = sandbox.run("run", recipes(sandbox, GOOD, *[{"kind": kind} for kind in kinds]))
    assert end.code == 1
    assert verdicts(sandbox) == [PASSED, *[MALFORMED] * len(kinds)]
    details = [each["detail"] for each in sandbox.results()["tests"][1:]]
    assert all(each.startswith("no runner for kind ") for each in details)
    assert details[3].startswith(r"no runner for kind 'new\nline' (known: ")
    assert details[5] == 'no runner for kind "Noop" (did you mean "noop"?)'


def test_programs_that_cannot_be_executed_are_errors_beside_good_ones(sandbox: Sandbox) -> None:
    odd = {
        "NUL byte": program("/bin/true\0x"),
        "cannot hold a NUL byte": program("/bin/true", "nul\0in argument"),
        "file name too long": program("/bin/" + "x" * 10_000),
        "argument list too long": program("/bin/true", "y" * 200_000),
        " bytes, 1048576 at most": program("/bin/true", "y" * 3_000_000),
        "there is no program": program("../" * 50 + "no/such/program"),
        "cannot be an environment variable": program("/bin/true", kwargs={"NAME=": "value"}),
        "needs a uri": {"kind": "exec-test"},
        "expected a list of exit statuses": program(
            "/bin/true", config={"runner.exectest.exitcodes.skip": "seven"}
        ),
    }
    names = recipes(sandbox, GOOD, *odd.values(), GOOD)
    end = sandbox.run("run", names, "--max-parallel-tasks", "2")
    assert end.code == 1
    assert verdicts(sandbox) == [PASSED, *[MALFORMED] * len(odd), PASSED]
    details = [each["detail"] for each in sandbox.results()["tests"][1:-1]]
    assert [each for each, detail in zip(odd, details, strict=True) if each not in detail] == []


NAMES = [
    "new\nline.sh",
    "tab\tand\rreturn.sh",
    "\x1b[31mred.sh",
    "..sh",
    "...",
    "-dash.sh",
    " blank .sh",
    "quote'\".sh",
    "semi;colon.sh",
    "back\\slash.sh",
    "*.sh",
    "ünï.sh",
    os.fsdecode(b"not-\xff-utf8.sh"),
    "n" * 250,
]


def test_odd_file_names_run_and_are_kept_apart(sandbox: Sandbox) -> None:
    for name in NAMES:
        sandbox.write(f"tests/{name}", '#!/bin/sh\nbasename "$0"\n')
    # Names that begin with a dot are hidden: they are only run when they are asked for.
    end = sandbox.run("run", "tests", "tests/..sh", "tests/...")
    assert (end.code, end.err) == (0, "")
    tests = sandbox.results()["tests"]
    assert len(tests) == len(NAMES)
    assert {each["status"] for each in tests} == {"PASS"}
    outputs = {(sandbox.job / each["outputs"]["stdout"]).read_bytes() for each in tests}
    assert outputs == {os.fsencode(name) + b"\n" for name in NAMES}
    folders = {path.name for path in (sandbox.job / "test-results").iterdir()} - {"by-status"}
    assert len(folders) == len(NAMES)
    assert all(name.isascii() and name.isprintable() and len(name) <= 120 for name in folders)
    assert not set(end.out) & {"\x1b", "\t", "\r"}
    assert len(end.lines) == 4 + len(NAMES)
    assert len((sandbox.job / "results.tap").read_text("utf-8").splitlines()) >= len(NAMES)
    check_moves(sandbox.records())


def test_a_file_with_a_syntax_error_costs_its_own_tests_alone(sandbox: Sandbox) -> None:
    good = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n"
    sandbox.write("tests/test_good.py", good, executable=False)
    sandbox.write("tests/test_bad.py", good + "    def test_b(self) pass\n", executable=False)
    end = sandbox.run("run", "tests", "/bin/true")
    assert (end.code, end.out) == (2, "")
    assert "\n  tests: tests/test_bad.py: could not load it: SyntaxError" in end.err
    assert "line 4" in end.err
    assert not sandbox.base.exists()
    end = sandbox.run("run", "tests", "/bin/true", "--ignore-missing-references")
    assert end.code == 1
    assert sorted(verdicts(sandbox)) == [MALFORMED, PASSED, PASSED]
    (bad,) = [each for each in sandbox.results()["tests"] if each["status"] == "ERROR"]
    assert "tests/test_bad.py: could not load it: SyntaxError" in bad["detail"]


def test_files_that_change_after_they_were_found_are_errors_of_their_own(sandbox: Sandbox) -> None:
    """The first test deletes the others' files, or takes away what they need."""
    sandbox.write(
        "a.sh",
        "#!/bin/sh\nrm c.sh test_gone.py; chmod -x d.sh; echo 'x = (' > test_broken.py\n",
    )
    for name in ("c.sh", "d.sh", "e.sh"):
        sandbox.write(name, "#!/bin/sh\n")
    good = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n"
    for name in ("test_gone.py", "test_broken.py", "test_fine.py"):
        sandbox.write(name, good, executable=False)
    names = ("a.sh", "c.sh", "d.sh", "e.sh", "test_gone.py", "test_broken.py", "test_fine.py")
    end = sandbox.run("run", *names, "--max-parallel-tasks", "1")
    assert end.code == 1
    tests = sandbox.results()["tests"]
    assert verdicts(sandbox)[:4] == [PASSED, MALFORMED, MALFORMED, PASSED]
    assert [each["status"] for each in tests[4:]] == ["ERROR", "ERROR", "PASS"]
    assert "test_gone" in tests[4]["detail"]
    assert "SyntaxError" in tests[5]["detail"]


def test_a_working_folder_that_a_test_deletes_fails_the_rest_with_the_reason(
    sandbox: Sandbox,
) -> None:
    sandbox.write("a.sh", '#!/bin/sh\nrm -rf "$PWD"\n')
    sandbox.write("b.sh", "#!/bin/sh\n")
    end = sandbox.run("run", "./a.sh", "./b.sh", "/bin/true", "--max-parallel-tasks", "1")
    assert end.code == 1
    tests = sandbox.results()["tests"]
    assert verdicts(sandbox)[0] == PASSED
    assert {each["status"] for each in tests[1:]} == {"ERROR"}
    assert all(str(sandbox.here) in each["detail"] for each in tests[1:])


def test_results_that_cannot_be_written_fail_the_job_before_anything_runs(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.write("notes.sh", "#!/bin/sh\necho ran > notes\n")
    (tmp_path / "file").write_text("")
    for place in ("/proc", "/dev/null", str(tmp_path / "file" / "below")):
        end = sandbox.run("run", "./notes.sh", "--job-results-dir", place)
        assert end.code == 2
        assert end.err.startswith("nrunner: could not write results into")
        assert place in end.err
    assert not (sandbox.here / "notes").exists()


def test_a_report_that_cannot_be_written_changes_no_verdict(sandbox: Sandbox) -> None:
    in_the_way = '"$(dirname "$(dirname "$NRUNNER_TEST_LOGDIR")")/results.json"'
    sandbox.write("a.sh", f"#!/bin/sh\nmkdir {in_the_way}\n")
    end = sandbox.run("run", "./a.sh", "/bin/false", "--json", "/no/such/folder/x.json")
    assert end.code == 3
    assert "results.json" in end.out + end.err
    assert "/no/such/folder/x.json" in end.out + end.err
    tap = (sandbox.job / "results.tap").read_text()
    assert "ok 1" in tap
    assert "not ok 2" in tap
    check_moves(sandbox.records())


@pytest.mark.parametrize("room", [16 << 10, 300 << 10])
def test_a_full_disk_ends_the_job_with_its_reason(sandbox: Sandbox, room: int) -> None:
    """As near as can be without a disk: no file may grow further, before or while tests run."""

    def little() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    end = sandbox.start("run", recipes(sandbox, *[GOOD] * 400), preexec_fn=little).wait()
    assert end.code == 2
    assert end.err.startswith("nrunner: could not write the journal ")
    assert end.err.count("\n") == 1
    sandbox.wait_nothing_runs()
    # What was told was written before.
    records = read_records(sandbox.job / "journal.jsonl")
    settled = sum(1 for each in records if each["type"] == "settled")
    assert sum(1 for line in end.lines if "/bin/true: PASS" in line) <= settled
    if room > 1 << 18:
        assert f"{400 - settled} tasks have no verdict: " in end.out
        assert f"PASS {settled} |" in end.out


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("{suite}run.task_timeot = 1\n", "run.task_timeot", "run.task_timeout"),
        ("[jbo]\n{suite}", "jbo", "job"),
        ("[job]\nrun.max_parallel_tasks = 0\n{suite}", "run.max_parallel_tasks", "1"),
    ],
)
def test_a_job_file_that_is_wrong_runs_nothing(
    sandbox: Sandbox, text: str, key: str, hint: str
) -> None:
    sandbox.write("x", "#!/bin/sh\necho ran > notes\n")
    suite = '[[suite]]\nname = "a"\nreferences = ["x"]\n'
    sandbox.write("job.toml", text.format(suite=suite), executable=False)
    end = sandbox.run("run", "--job", "job.toml")
    assert end.code == 4
    assert end.out == ""
    assert "job.toml:" in end.err
    assert key in end.err
    assert hint in end.err
    assert not sandbox.base.exists()
    assert not (sandbox.here / "notes").exists()


def test_a_recipe_with_an_unknown_key_runs_nothing(sandbox: Sandbox) -> None:
    bad = {"kind": "noop", "requirments": []}
    end = sandbox.run("run", recipes(sandbox, GOOD, bad), "/bin/true")
    assert end.code == 2
    assert "all.json" in end.err
    assert 'did you mean "requirements"?' in end.err
    assert not sandbox.base.exists()
    end = sandbox.run("run", "all.json", "/bin/true", "--ignore-missing-references")
    assert end.code == 1
    assert verdicts(sandbox) == [MALFORMED, PASSED]


def test_an_interpreter_that_is_missing_is_named_in_each_test(sandbox: Sandbox) -> None:
    text = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n"
    sandbox.write("test_it.py", text, executable=False)
    end = sandbox.run("run", "test_it.py", "/bin/true", "--python", "/no/such/python")
    assert end.code == 1
    bad, good = sandbox.results()["tests"]
    assert (bad["status"], bad["cause"]) == MALFORMED
    assert "/no/such/python" in bad["detail"]
    assert good["status"] == "PASS"


def test_output_that_is_closed_from_the_start_changes_nothing(sandbox: Sandbox) -> None:
    def closed() -> None:
        os.close(1)

    end = sandbox.start("run", "/bin/true", "/bin/false", preexec_fn=closed).wait()
    assert end.code == 1
    assert verdicts(sandbox) == [PASSED, ("FAIL", "test")]
    names = {path.name for path in (sandbox.job / "test-results").iterdir()}
    assert names == {"2-_bin_false", "by-status"}
