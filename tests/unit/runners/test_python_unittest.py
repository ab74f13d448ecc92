import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place
from nrunner.runners.python_unittest import PythonUnittest

PLACE = Place("/log", "/out", "/work", "/base", report="/slot/report")
URI = "tests/test_a.py:T.test_b"


def command(uri: str | None = URI, place: Place = PLACE, **rest: Any) -> Command:
    answer = PythonUnittest().command(Runnable("python-unittest", uri, **rest), place)
    assert isinstance(answer, Command)
    return answer


def judge(end: Exit, report: Outcome | None) -> Outcome:
    return PythonUnittest().judge(Runnable("python-unittest", URI), PLACE, end, report)


def test_the_child_is_told_what_to_run_and_where_to_report() -> None:
    kwargs = {"module": "a.b", "top": "src", "exclude": ["T.test_c"], "other": 1}
    found = command(kwargs=kwargs)
    assert found.argv[0] == sys.executable
    assert json.loads(found.argv[-1]) == {
        "uri": URI,
        "base_dir": "/base",
        "report": "/slot/report",
        "module": "a.b",
        "top": "src",
        "exclude": ["T.test_c"],
    }
    assert (found.cwd, found.report) == ("/base", "/slot/report")
    assert found.env["NRUNNER_TEST_BASEDIR"] == "/base/tests"


def test_without_a_place_for_the_report_the_work_folder_has_one() -> None:
    assert command(place=Place("/log", "/out", "/work", "/base")).report == "/work/.nrunner-report"


@pytest.mark.parametrize(
    ("python", "program"),
    [
        ("/usr/bin/python3", "/usr/bin/python3"),
        ("python3.9", "python3.9"),
        ("venv/bin/python", "/base/venv/bin/python"),
    ],
)
def test_the_interpreter_is_configured(python: str, program: str) -> None:
    assert command(config={"runner.python": python}).argv[0] == program


def test_a_zygote_is_told_the_same_as_a_new_interpreter() -> None:
    found = command(kwargs={"top": "src"}, config={"runner.python": "/usr/bin/python3"})
    assert found.warm is not None
    assert found.warm.argv[0] == "/usr/bin/python3"
    assert found.warm.argv[-1] == "zygote"
    assert found.warm.spec == json.loads(found.argv[-1])


def test_whoever_wants_an_interpreter_of_its_own_for_a_test_gets_no_zygote() -> None:
    assert command(config={"runner.isolation": "interpreter"}).warm is None
    assert command(config={"runner.isolation": "process"}).warm is not None


def test_a_description_too_long_for_an_argument_goes_through_a_file(tmp_path: Path) -> None:
    place = Place("/log", "/out", str(tmp_path), "/base")
    exclude = [f"Class.test_number_{number}" for number in range(10_000)]
    argument = command(place=place, kwargs={"exclude": exclude}).argv[-1]
    assert argument[:1] == "@"
    assert json.loads(Path(argument[1:]).read_text())["exclude"] == exclude


@pytest.mark.parametrize(
    ("uri", "rest", "reason"),
    [
        (None, {}, "needs a uri"),
        ("a\0.py", {}, "needs a uri"),
        (URI, {"kwargs": {"exclude": "x"}}, '"exclude": expected a list'),
        (URI, {"kwargs": {"module": 5}}, '"module": expected a str'),
        (URI, {"config": {"runner.python": 3}}, "path of an interpreter"),
        (
            URI,
            {"config": {"runner.isolation": "none"}},
            "one of process, module, interpreter",
        ),
    ],
)
def test_what_can_never_work_is_refused(uri: str | None, rest: dict[str, Any], reason: str) -> None:
    with pytest.raises(RunnerError, match=reason):
        command(uri, **rest)


def test_the_report_is_believed_when_the_process_ended_accordingly() -> None:
    passed = Outcome(Result.PASS, class_name="T")
    failed = Outcome(Result.FAIL, "AssertionError")
    assert judge(Exit(0), passed) == passed
    assert judge(Exit(1), failed) == failed


def test_without_a_report_the_contract_is_broken() -> None:
    outcome = judge(Exit(3), None)
    assert outcome.result is Result.ERROR
    assert outcome.contract
    assert outcome.fail_reason == "exited with status 3 without a report"
    assert judge(Exit(0), None).fail_reason == "exited with status 0 without a report"
    assert judge(Exit(None, 6), None).fail_reason == (
        "killed by signal 6 (SIGABRT) without a report"
    )


def test_a_good_report_before_a_crash_is_not_believed() -> None:
    outcome = judge(Exit(None, 11), Outcome(Result.PASS))
    assert outcome.contract
    assert outcome.fail_reason == "reported PASS, then killed by signal 11 (SIGSEGV)"


def test_a_failure_before_a_crash_stays_a_failure() -> None:
    outcome = judge(Exit(None, 11), Outcome(Result.FAIL, "AssertionError"))
    assert outcome.result is Result.FAIL
    assert outcome.fail_reason == "AssertionError; then killed by signal 11 (SIGSEGV)"
