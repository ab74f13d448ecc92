import json
import sys
from typing import Any

import pytest

from nrunner.errors import RunnerError
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Place
from nrunner.runners.pytest import Pytest

PLACE = Place("/log", "/out", "/work", "/base", report="/slot/report")
URI = "tests/test_a.py::TestB::test_c[a/b::c]"


def command(uri: str | None = URI, args: tuple[str, ...] = (), **rest: Any) -> Command:
    answer = Pytest().command(Runnable("pytest", uri, args, **rest), PLACE)
    assert isinstance(answer, Command)
    return answer


def module(uri: str, args: tuple[str, ...] = (), **kwargs: Any) -> str:
    warm = command(uri, args, kwargs=kwargs).warm
    assert warm is not None
    return warm.module


def company(uri: str, args: tuple[str, ...] = (), **kwargs: Any) -> str:
    return Pytest().company(Runnable("pytest", uri, args, kwargs))


def test_the_child_is_told_what_to_run_and_where_to_report() -> None:
    found = command(args=("-W", "error"), kwargs={"inifile": "tox.ini", "rootdir": ".", "top": "x"})
    assert found.argv[0] == sys.executable
    assert found.argv[-2] == "pytest-child"
    assert json.loads(found.argv[-1]) == {
        "uri": URI,
        "base_dir": "/base",
        "report": "/slot/report",
        "args": ["-W", "error"],
        "inifile": "tox.ini",
        "rootdir": ".",
    }
    assert (found.cwd, found.report) == ("/base", "/slot/report")


def test_the_folder_of_a_test_is_that_of_its_file() -> None:
    assert command().env["NRUNNER_TEST_BASEDIR"] == "/base/tests"


def test_a_zygote_of_its_own_kind_is_told_the_same() -> None:
    found = command(config={"runner.python": "python3.9"})
    assert found.warm is not None
    assert (found.warm.argv[0], found.warm.argv[-1]) == ("python3.9", "pytest-zygote")
    assert found.warm.spec == json.loads(found.argv[-1])


def test_tests_of_a_file_share_what_was_collected_if_pytest_is_called_the_same() -> None:
    assert module("a.py::test_a") == module("a.py::TestB::test_c[x::y]")
    assert module("a.py::test_a") != module("b.py::test_a")
    assert module("a.py::test_a") != module("a.py::test_a", ("-W", "error"))
    assert module("a.py::test_a") != module("a.py::test_a", rootdir="..")


def test_tests_of_a_file_are_a_series_but_a_whole_file_is_not() -> None:
    assert company("a.py::test_a") == company("a.py::test_b[1]") != ""
    assert company("a.py::test_a") != company("b.py::test_a")
    assert company("a.py::test_a") != company("a.py::test_b", ("--foo",))
    assert company("a.py") == ""


@pytest.mark.parametrize(
    ("uri", "rest", "reason"),
    [
        (None, {}, "needs a uri such as .*a.py::test_b"),
        ("a\0.py", {}, "needs a uri"),
        (URI, {"kwargs": {"rootdir": 5}}, '"rootdir": expected a str'),
        (URI, {"config": {"runner.isolation": "none"}}, "one of process, module, interpreter"),
    ],
)
def test_what_can_never_work_is_refused(uri: str | None, rest: dict[str, Any], reason: str) -> None:
    with pytest.raises(RunnerError, match=reason):
        command(uri, **rest)
