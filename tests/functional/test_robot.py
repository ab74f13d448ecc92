"""Tests of Robot Framework, found and run by the Robot that is installed beside these tests."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.functional import corpus
from tests.functional.sandbox import Sandbox

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/robot"

SUITE = """*** Settings ***
Suite Setup       Append To File    set-up.txt    x
Suite Teardown    Append To File    torn-down.txt    x
Library           OperatingSystem

*** Test Cases ***
Passes
    [Tags]    fast
    Log To Console    hello from here

Fails
    Fail    numbers differ: 1 != 2

Is [Odd]*?
    Should Be Equal    ${COUNT}    3
    Should Be Equal    ${TEMPDIR}    %{TMPDIR}
    Should Be Equal    ${OUTPUT DIR}    %{NRUNNER_TEST_OUTPUTDIR}
"""
UNTIDY = """*** Settings ***
Suite Teardown    Fail    cannot tidy up

*** Test Cases ***
Passes At First
    Log    fine
"""


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    sandbox.env["NRUNNER_RUNNER_PYTHON"] = sys.executable
    sandbox.write("suites/some.robot", SUITE, executable=False)
    sandbox.write("suites/untidy.robot", UNTIDY, executable=False)
    sandbox.write("suites/words.resource", "*** Keywords ***\nX\n    Log    x\n", executable=False)
    sandbox.env["ROBOT_OPTIONS"] = "--variable COUNT:3"
    return sandbox


def told(sandbox: Sandbox) -> dict[str, tuple[str, str | None]]:
    return {name: (test["status"], test["fail_reason"]) for name, test in sandbox.tests().items()}


@pytest.mark.parametrize("isolation", ["process", "interpreter"])
def test_each_test_is_a_task_that_ends_as_robot_says(box: Sandbox, isolation: str) -> None:
    """In a fork of an interpreter that has Robot imported, and in a new one."""
    assert box.run("run", "suites", "--isolation", isolation).code == 1
    assert told(box) == {
        "suites/some.robot:Some.Passes": ("PASS", None),
        "suites/some.robot:Some.Fails": ("FAIL", "numbers differ: 1 != 2"),
        "suites/some.robot:Some.Is [Odd]*?": ("PASS", None),
        "suites/untidy.robot:Untidy.Passes At First": (
            "FAIL",
            "Parent suite teardown failed: cannot tidy up",
        ),
    }
    assert (box.here / "set-up.txt").read_text() == "xxx"
    tests = list(box.tests().values())
    out = [Path(test["logdir"], "stdout") for test in tests[:3]]
    assert out[0].read_text() == "hello from here\n"
    assert out[1].read_text() == "Some.Fails | FAIL |\nnumbers differ: 1 != 2\n"
    assert not out[2].exists()
    assert all(Path(test["logdir"], "output/output.xml").exists() for test in tests)


@pytest.mark.parametrize("robot", ["oldest", "newest"])
def test_what_the_folders_above_set_up_holds_for_each_test(box: Sandbox, robot: str) -> None:
    if robot == "oldest":
        assert corpus.OLD_ROBOT.is_dir(), "scripts/install-test-tools fetches it"
        box.env["PYTHONPATH"] = str(corpus.OLD_ROBOT)
    shutil.copytree(EXAMPLE, box.here / "suites/robot")
    text = (EXAMPLE / "greetings.robot").read_text().replace("Test Tags ", "Force Tags")
    box.write("suites/robot/greetings.robot", text, executable=False)
    box.write("suites/robot/other.robot", UNTIDY, executable=False)
    init = "*** Settings ***\nSuite Teardown    Log To Console    all is over\n"
    box.write("suites/__init__.robot", init, executable=False)
    assert box.run("run", "suites/robot/greetings.robot").code == 0
    tests = box.results()["tests"]
    assert [each["status"] for each in tests] == ["PASS", "PASS", "SKIP"]
    assert tests[0]["tags"] == {"area": ["text"], "fast": None}
    assert Path(tests[0]["logdir"], "stdout").read_text() == "all is over\n"


def test_a_suite_is_one_task_where_tests_may_share_a_process(box: Sandbox) -> None:
    assert box.run("run", "suites", "--isolation", "module").code == 1
    assert told(box) == {
        "suites/some.robot": ("FAIL", "1 of 3 tests failed: Fails"),
        "suites/untidy.robot": ("FAIL", "1 of 1 tests failed: Passes At First"),
    }
    assert (box.here / "set-up.txt").read_text() == "x"


def test_robots_own_options_choose_tests_when_they_are_looked_for(box: Sandbox) -> None:
    box.env["ROBOT_OPTIONS"] = "--include fast"
    assert box.run("list", "suites").lines == ["robot  suites/some.robot:Some.Passes  fast"]
    box.env["ROBOT_OPTIONS"] = "--include nothing"
    assert box.run("run", "suites", "-p", "ROBOT_OPTIONS=--include fast").code == 0
    assert list(told(box)) == ["suites/some.robot:Some.Passes"]
    box.env["ROBOT_OPTIONS"] = "--no-such-option"
    end = box.run("list", "suites/some.robot")
    assert end.code == 2
    assert "Robot Framework refuses the options in ROBOT_OPTIONS" in end.err


def test_what_cannot_be_run_is_an_error_that_says_why(box: Sandbox) -> None:
    uris = ("suites/none.robot", "suites/some.robot:Nothing", "suites/some.robot:Passes")
    text = ", ".join(f'{{"kind": "robot", "uri": "{uri}"}}' for uri in uris)
    odd = '{"kind": "robot", "uri": "suites/some.robot", "args": ["--no-such"], "identifier": "o"}'
    box.write("some.json", f"[{text}, {odd}]", executable=False)
    assert box.run("run", "some.json").code == 1
    tests = told(box)
    assert tests["suites/none.robot"] == ("ERROR", "no such file: suites/none.robot")
    status, reason = tests["suites/some.robot:Nothing"]
    assert status == "ERROR"
    assert reason is not None
    assert "no tests matching name 'Nothing'" in reason
    assert tests["suites/some.robot:Passes"] == ("PASS", None)
    assert tests["o"][0] == "ERROR"
    assert {each["cause"] for each in box.results()["tests"]} == {"malformed", "test"}


def test_an_interpreter_without_robot_is_named(box: Sandbox) -> None:
    box.plug_in("bare", f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    end = box.run("run", "suites", "--python", "bare")
    assert end.code == 2
    lines = [line for line in end.err.splitlines() if "there is no Robot Framework for /" in line]
    assert [line.split(": ")[1] for line in lines] == ["suites/some.robot", "suites/untidy.robot"]
    assert all("--python names another interpreter" in line for line in lines)


def test_one_file_that_ends_its_reader_spoils_no_other(box: Sandbox) -> None:
    """A library is not imported when tests are looked for, but a parser of the user's is run."""
    parser = "import os\nEXTENSION = 'bad.robot'\ndef parse(source):\n    os._exit(7)\n"
    box.write("parser.py", parser, executable=False)
    box.write("suites/a.bad.robot", SUITE, executable=False)
    box.env["ROBOT_OPTIONS"] = "--variable COUNT:3 --parser parser.py"
    assert box.run("run", "suites", "--ignore-missing-references").code == 1
    tests = told(box)
    status, reason = tests.pop("suites")
    assert status == "ERROR"
    assert reason is not None
    assert "a.bad.robot" in reason
    assert "exited with status 7 without an answer" in reason
    assert len(tests) == 4


def test_the_example_is_as_its_readme_says(box: Sandbox) -> None:
    shutil.copytree(EXAMPLE, box.here / "robot")
    del box.env["ROBOT_OPTIONS"]
    assert box.run("run", "robot").code == 0
    assert [each["status"] for each in box.results()["tests"]] == ["PASS", "PASS", "SKIP"]
