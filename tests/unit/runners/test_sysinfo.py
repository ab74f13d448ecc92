import json
from typing import Any

import pytest

from nrunner.errors import RunnerError
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Place
from nrunner.runners.sysinfo import Sysinfo

PLACE = Place("/log", "/out", "/work", "/base", report="/slot/report")
LISTS = {"commands": ["a", ""], "files": ["/f"], "fail_commands": ["b", "a"], "fail_files": ["/g"]}


def spec(uri: str | None = "pre", **rest: Any) -> dict[str, Any]:
    command = Sysinfo().command(Runnable("sysinfo", uri, **rest), PLACE)
    assert isinstance(command, Command)
    assert command.argv[-2] == "survey"
    found: dict[str, Any] = json.loads(command.argv[-1])
    return found


def test_the_child_is_told_what_to_collect_and_where() -> None:
    assert spec(kwargs={"sysinfo": LISTS}) == {
        "commands": ["a"],
        "files": ["/f"],
        "packages": False,
        "locale": "C",
        "timeout": 20.0,
        "folder": "/out/sysinfo/pre",
        "report": "/slot/report",
    }
    assert spec()["commands"], "there is a list of ours"
    assert spec("post", kwargs={"folder": "/task/sysinfo"})["folder"] == "/task/sysinfo/post"


def test_after_a_failure_more_is_collected_each_once() -> None:
    found = spec("post", kwargs={"sysinfo": LISTS, "test_fail": True})
    assert (found["commands"], found["files"]) == (["a", "b"], ["/f", "/g"])


def test_how_it_is_collected_is_configured_as_in_avocado() -> None:
    prefix = "sysinfo.collect."
    config = {
        f"{prefix}commands_timeout": -1,
        f"{prefix}installed_packages": True,
        f"{prefix}locale": "de_DE.UTF-8",
    }
    found = spec(config=config)
    assert (found["timeout"], found["packages"], found["locale"]) == (0.0, True, "de_DE.UTF-8")


@pytest.mark.parametrize("limit", [None, 0, -1])
def test_commands_may_take_as_long_as_they_like_where_there_is_no_limit(limit: int | None) -> None:
    assert spec(config={"sysinfo.collect.commands_timeout": limit})["timeout"] == 0.0


@pytest.mark.parametrize(
    ("uri", "rest", "reason"),
    [
        ("between", {}, "'between'"),
        (None, {}, "None"),
        ("pre", {"kwargs": {"sysinfo": []}}, "expected an object with lists"),
        ("pre", {"kwargs": {"sysinfo": {"files": "x"}}}, '"files" is no list of texts'),
        ("pre", {"config": {"sysinfo.collect.commands_timeout": "x"}}, "expected seconds"),
    ],
)
def test_what_can_never_work_is_refused(uri: str | None, rest: dict[str, Any], reason: str) -> None:
    with pytest.raises(RunnerError, match=reason):
        spec(uri, **rest)
