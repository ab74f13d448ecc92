from pathlib import Path

import pytest

from nrunner.errors import RunnerError
from nrunner.runnable import Requirement
from nrunner.runners.command import CommandOnPath


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin/tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    (tmp_path / "bin/text").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def check(here: Path, *args: object, config: object = None, **kwargs: object) -> str:
    runner = CommandOnPath()
    runner.config = {} if config is None else config  # type: ignore[assignment]
    return runner.check(Requirement("command", *args, kwargs=kwargs), str(here)) or ""  # type: ignore[arg-type]


def test_a_program_is_looked_for_where_tests_would_find_it(here: Path) -> None:
    assert check(here, "tool") == ""
    assert check(here, name="tool") == ""
    assert check(here, "bin/tool") == ""
    assert check(here, "text") == "there is no command 'text' on PATH"
    assert check(here, "./none") == f"there is no command './none' in {here}"
    config = {"runner.env": {"PATH": "/nowhere"}}
    assert check(here, "tool", config=config) == "there is no command 'tool' on PATH"


def test_only_a_version_needs_a_process(here: Path) -> None:
    assert CommandOnPath().is_instant(Requirement("command", "tool"))
    assert not CommandOnPath().is_instant(Requirement("command", "tool", kwargs={"version": "1"}))


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({}, "needs a uri"),
        ({"name": 5}, "needs a uri"),
        ({"name": "tool", "version": "("}, 'key "version": no regular expression'),
        ({"name": "tool", "version": 3}, 'key "version": expected a text'),
        ({"name": "tool", "verison": "3"}, 'did you mean "version"'),
        ({"name": "tool", "version_args": [3]}, 'key "version_args": expected a list'),
    ],
)
def test_what_is_wrong_with_a_description_is_named(
    here: Path, kwargs: dict[str, object], reason: str
) -> None:
    with pytest.raises(RunnerError, match=reason):
        check(here, **kwargs)
