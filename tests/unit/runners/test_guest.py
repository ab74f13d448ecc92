import json
from pathlib import Path

import pytest

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Exit, Outcome, Place
from nrunner.runners.guest import argument, believed, python_of, report_path

PLACE = Place("/log", "/out", "/work", "/base", report="/slot/report")


@pytest.mark.parametrize(
    ("python", "program"),
    [
        ("/usr/bin/python3", "/usr/bin/python3"),
        ("python3.9", "python3.9"),
        ("venv/bin/python", "/base/venv/bin/python"),
    ],
)
def test_a_path_is_relative_to_where_the_user_is_and_a_name_is_on_path(
    python: str, program: str
) -> None:
    assert python_of(Runnable("robot", config={"runner.python": python}), PLACE) == program


def test_without_a_setting_it_is_the_agents_own() -> None:
    assert python_of(Runnable("robot"), PLACE) is None


@pytest.mark.parametrize("python", ["", 3, ["python3"]])
def test_what_can_be_no_interpreter_is_refused_by_the_name_of_the_setting(python: object) -> None:
    with pytest.raises(RunnerError, match=r'key "runner\.python": expected the path'):
        python_of(Runnable("robot", config={"runner.python": python}), PLACE)


def test_a_description_that_no_command_line_takes_goes_through_a_file(tmp_path: Path) -> None:
    place = Place("/log", "/out", str(tmp_path), "/base")
    assert json.loads(argument({"uri": "a"}, place)) == {"uri": "a"}
    long = {"uri": "a" * 200_000}
    word = argument(long, place)
    assert word[0] == "@"
    assert json.loads(Path(word[1:]).read_text()) == long
    assert report_path(place) == f"{tmp_path}/.nrunner-report"


FAILED = Outcome(Result.FAIL, "numbers differ")


@pytest.mark.parametrize(
    ("report", "end", "result", "reason", "contract"),
    [
        (Outcome(Result.PASS), Exit(0), Result.PASS, None, False),
        (FAILED, Exit(1), Result.FAIL, "numbers differ", False),
        (Outcome(Result.PASS), Exit(1), Result.ERROR, "reported PASS, then exited with", True),
        (FAILED, Exit(None, 9), Result.FAIL, "numbers differ; then killed by signal 9", False),
        (None, Exit(0), Result.ERROR, "exited with status 0 without a report", True),
        (None, Exit(None, 11), Result.ERROR, "killed by signal 11", True),
    ],
)
def test_a_report_is_believed_unless_the_end_belies_it(
    report: Outcome | None, end: Exit, result: Result, reason: str | None, contract: bool
) -> None:
    outcome = believed(report, end)
    assert (outcome.result, outcome.contract) == (result, contract)
    assert (outcome.fail_reason or "").startswith(reason or "")
    assert bool(outcome.fail_reason) == bool(reason)
