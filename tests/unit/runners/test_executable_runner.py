"""Kinds that are run by an executable of their own: how it is found, called and believed."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners import executable_runner
from nrunner.runners.base import Command, Exit, Outcome, Place
from nrunner.runners.capability import Capability, Memory
from nrunner.runners.executable_runner import (
    ExecutableRunner,
    find_executable,
    find_runner,
    task_run_words,
)

PLACE = Place("/log", "/out", "/work", "/base", "1-x", "job")
RUNNER = ExecutableRunner("strange", "/bin/nrunner-runner-strange", "/run/status")


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Two folders on PATH; nothing that was found before is remembered."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv("PATH", ":".join(map(str, folders)))
    monkeypatch.setattr(executable_runner, "_found", {})
    return folders


def make(file: Path, mode: int = 0o755) -> str:
    file.write_text("")
    file.chmod(mode)
    return str(file)


def test_our_own_prefix_wins_wherever_on_the_path_it_is(path):
    theirs = make(path[0] / "avocado-runner-strange")
    assert find_executable("strange") == theirs
    ours = make(path[1] / "nrunner-runner-strange")
    assert find_executable("strange") == ours


def test_what_cannot_be_executed_is_passed_over(path):
    make(path[0] / "nrunner-runner-strange", 0o644)
    (path[1] / "nrunner-runner-strange").mkdir()
    assert find_executable("strange") is None


@pytest.mark.parametrize("kind", ["", "a/b", "../x", "nul\0"])
def test_a_kind_that_is_no_file_name_has_no_executable(path, kind):
    assert find_executable(kind) is None


def test_a_kind_that_ships_needs_no_executable(path):
    make(path[0] / "nrunner-runner-noop")
    assert find_runner("noop", "/run/status").kind == "noop"
    assert not isinstance(find_runner("noop", "/run/status"), ExecutableRunner)


def test_a_runner_that_was_found_is_remembered_and_one_that_was_not_is_looked_for_again(path):
    with pytest.raises(RunnerError, match="strange"):
        find_runner("strange", "/run/status")
    make(path[1] / "nrunner-runner-strange")
    found = find_runner("strange", "/run/status-1.1")
    make(path[0] / "nrunner-runner-strange")
    again = find_runner("strange", "/run/status-2.1")
    assert isinstance(again, ExecutableRunner)
    assert again.description == found.description == str(path[1] / "nrunner-runner-strange")
    command = again.command(Runnable("strange"), PLACE)
    assert isinstance(command, Command)
    assert command.argv[-2:] == ("-s", "/run/status-2.1")


def test_the_folder_of_the_tests_interpreter_comes_before_the_path(path):
    own = path[0].parent / "venv"
    own.mkdir()
    config = {"runner.python": str(own / "python")}
    on_path = make(path[0] / "avocado-runner-strange")
    assert find_executable("strange", config) == on_path
    beside = make(own / "avocado-runner-strange")
    assert find_executable("strange", config) == beside
    relative = {"runner.python": "venv/python"}
    assert find_executable("strange", relative, str(own.parent)) == beside
    assert find_runner("strange", "/run/status", config).description == beside
    assert find_runner("strange", "/run/status").description == on_path
    ours = make(path[1] / "nrunner-runner-strange")
    assert find_executable("strange", config) == ours


@pytest.mark.parametrize(
    ("python", "first"), [("/bin/python", "/bin"), ("/venv/python", ""), ("bin/python", "")]
)
def test_one_beside_the_interpreter_finds_the_programs_there(python, first):
    config = {"runner.python": python}
    command = RUNNER.command(Runnable("strange", "u", config=config), PLACE)
    assert command.first_on_path == first


@pytest.mark.parametrize("python", ["python3", "./python", "", 5, None, "/nul\0/x"])
def test_an_interpreter_without_a_path_says_nothing_of_executables(path, python):
    here = make(path[1] / "nrunner-runner-strange")
    assert find_executable("strange", {"runner.python": python}) == here


def named(kind: str, program: object) -> dict[str, object]:
    return {executable_runner.EXECUTABLES: {kind: program}}


@pytest.mark.parametrize("kind", ["noop", "strange"])
def test_an_executable_that_is_named_is_preferred_to_all_others(path, kind):
    make(path[0] / "nrunner-runner-strange")
    mine = make(path[1] / "mine")
    base_dir = str(path[1].parent)
    for program in (mine, "mine", "second/mine"):
        found = find_runner(kind, "/run/status", named(kind, program), base_dir)
        assert isinstance(found, ExecutableRunner)
        assert found.description == mine
    other = find_runner(kind, "/run/status", named("other", mine), base_dir)
    assert other.description != mine


@pytest.mark.parametrize("program", ["none", "./none", "second", "", 5, ["mine"]])
def test_one_that_is_named_and_not_there_is_an_error(path, program):
    with pytest.raises(RunnerError, match=r'"runner.executables" names .* for kind "noop"'):
        find_runner("noop", "/run/status", named("noop", program), str(path[0].parent))


def test_names_that_are_no_table_name_nothing(path):
    config = {executable_runner.EXECUTABLES: "noop"}
    assert find_runner("noop", "/run/status", config).kind == "noop"


def test_an_executable_is_given_all_of_a_runnable_and_where_to_report():
    runnable = Runnable(
        "strange",
        "u",
        ("plain", "-dash", "base64:x"),
        {"KEY": "value", "number": 3, "json": "json:1"},
        tags={"slow": None, "net": frozenset({"a"})},
        config={"c": 1},
    )
    words = task_run_words(runnable, "1-x", "job", "/log", "/run/status")
    assert words[:7] == ["task-run", "-i", "1-x", "-j", "job", "-k", "strange"]
    assert words[-2:] == ["-s", "/run/status"]
    assert words[words.index("-u") + 1] == "u"
    assert json.loads(words[words.index("-c") + 1]) == {"c": 1}
    args = [after for word, after in pairwise(words) if word == "-a"]
    assert args[0] == "plain"
    assert all(arg.startswith("base64:") for arg in args[1:])
    assert "KEY=value" in words
    assert "number=json:3" in words
    assert 'json=json:"json:1"' in words
    assert 'tags=json:{"slow": null, "net": ["a"]}' in words


def test_its_command_speaks_for_itself_where_the_user_is():
    command = RUNNER.command(Runnable("strange", "u"), PLACE)
    assert command.argv[0] == "/bin/nrunner-runner-strange"
    assert (command.cwd, command.speaks) == ("/base", True)
    assert command.env == {"TMPDIR": "/work"}


def test_what_no_command_line_can_hold_is_refused():
    with pytest.raises(RunnerError, match="NUL"):
        RUNNER.command(Runnable("strange", "u\0"), PLACE)


AVOCADOS = ExecutableRunner("strange", "/bin/avocado-runner-strange", "/no/agent/status-1.1")


def config_of(command) -> object:
    return json.loads(command.argv[command.argv.index("-c") + 1])


def test_an_executable_of_our_sort_is_given_all_settings():
    config = {"runner.python": "x", "mine": 1}
    command = RUNNER.command(Runnable("strange", "u", config=config), PLACE)
    assert config_of(command) == config


def test_one_of_avocados_sort_is_not_given_those_that_are_ours():
    config = {"runner.python": "x", "cache.dir": "/x", "agent.folder": "/y"}
    command = AVOCADOS.command(Runnable("strange", "u", config=config), PLACE)
    assert command.argv[0] == "/bin/avocado-runner-strange"
    assert config_of(command) == {}


def test_one_of_avocados_sort_is_asked_before_it_is_given_others():
    config = {"runner.python": "x", "mine": 1, "runner.exectest.clear_env": True}
    command = AVOCADOS.command(Runnable("strange", "u", config=config), PLACE)
    at = command.argv.index("introduce")
    memory, settings, path, *words = command.argv[at + 1 :]
    assert memory == "/no/agent/capabilities"
    assert json.loads(settings) == {"mine": 1, "runner.exectest.clear_env": True}
    assert path == "/bin/avocado-runner-strange"
    assert words[:3] == ["task-run", "-i", "1-x"]
    assert config_of(command) == {}
    assert command.speaks


def test_what_it_has_said_is_remembered(tmp_path):
    path = make(tmp_path / "avocado-runner-strange")
    Memory(str(tmp_path / "capabilities")).keep(path, Capability(("mine",)))
    runner = ExecutableRunner("strange", path, str(tmp_path / "status-1.1"))
    config = {"mine": 1, "other": 2, "runner.identifier_format": "{uri}"}
    command = runner.command(Runnable("strange", "u", config=config), PLACE)
    assert command.argv[0] == path
    assert config_of(command) == {"mine": 1, "runner.identifier_format": "{uri}"}


def judge(end: Exit, report: Outcome | None) -> Outcome:
    return RUNNER.judge(Runnable("strange", "u"), PLACE, end, report)


@pytest.mark.parametrize("status", [0, 1, 3])
def test_its_message_is_believed_whatever_its_exit_status(status):
    said = Outcome(Result.FAIL, "why")
    assert judge(Exit(status), said) is said


def test_where_it_has_no_words_for_an_exception_the_class_says_what_it_was():
    said = Outcome(Result.ERROR, fail_class="MemoryError")
    assert judge(Exit(0), said).fail_reason == "MemoryError"


def test_a_signal_contradicts_any_message():
    outcome = judge(Exit(None, 11), Outcome(Result.PASS))
    assert outcome.contract
    assert "'pass'" in outcome.fail_reason
    assert "signal 11" in outcome.fail_reason


@pytest.mark.parametrize(
    ("end", "how"), [(Exit(0), "status 0"), (Exit(3), "status 3"), (Exit(None, 9), "signal 9")]
)
def test_silence_breaks_the_contract(end, how):
    outcome = judge(end, None)
    assert outcome.contract
    assert outcome.result is None
    assert how in outcome.fail_reason
