import json
import sys
from typing import Any

import pytest

from nrunner.errors import RunnerError
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place
from nrunner.runners.robot import Robot

PLACE = Place("/log", "/out", "/work", "/base", report="/slot/report", quiet=True)
URI = "tests/a.robot:A.Some Test"


def spec(**rest: Any) -> dict[str, Any]:
    answer = Robot().command(Runnable("robot", URI, **rest), PLACE)
    assert isinstance(answer, Command)
    found: dict[str, Any] = json.loads(answer.argv[-1])
    return found


def test_the_child_is_told_what_to_run_and_where_to_report() -> None:
    command = Robot().command(Runnable("robot", URI), PLACE)
    assert isinstance(command, Command)
    assert (command.argv[0], command.argv[-2]) == (sys.executable, "robot-child")
    assert json.loads(command.argv[-1]) == {
        "uri": URI,
        "base_dir": "/base",
        "output_dir": "/out",
        "options": [],
        "report": "/slot/report",
        "quiet": True,
    }
    assert (command.cwd, command.report) == ("/base", "/slot/report")
    assert command.env["NRUNNER_TEST_BASEDIR"] == "/base/tests"


def test_a_warm_interpreter_is_told_the_same_as_a_new_one() -> None:
    command = Robot().command(Runnable("robot", URI), PLACE)
    assert isinstance(command, Command)
    assert command.warm is not None
    assert (command.warm.argv[-1], command.warm.module) == ("robot-zygote", "")
    assert dict(command.warm.spec) == json.loads(command.argv[-1])
    alone = Robot().command(
        Runnable("robot", URI, config={"runner.isolation": "interpreter"}), PLACE
    )
    assert isinstance(alone, Command)
    assert alone.warm is None


def test_kwargs_and_variants_are_variables_and_args_are_options() -> None:
    variant = {"variant_id": "x", "variant": [["/run", [["/run", "HOST", "lab"]]]]}
    found = spec(args=("--loglevel", "DEBUG"), kwargs={"COUNT": 3}, variant=variant)
    variables = ["--variable", "HOST:lab", "--variable", "COUNT:3"]
    assert found["options"] == [*variables, "--loglevel", "DEBUG"]


@pytest.mark.parametrize("uri", [None, "", "a\0b.robot"])
def test_a_runnable_without_a_file_is_refused(uri: str | None) -> None:
    with pytest.raises(RunnerError, match=r'such as "suite\.robot:Suite\.Test"'):
        Robot().command(Runnable("robot", uri), PLACE)


def test_a_process_that_ends_without_a_report_broke_its_contract() -> None:
    outcome = Robot().judge(Runnable("robot", URI), PLACE, Exit(0), None)
    assert isinstance(outcome, Outcome)
    assert outcome.contract
