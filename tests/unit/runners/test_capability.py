"""What executables of Avocado's sort are given: which settings, and how long that is known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nrunner.runners import capability
from nrunner.runners.capability import Capability, Memory, foreign, taken


def test_settings_of_ours_are_kept_from_others_unless_avocado_calls_one_so():
    config = {
        "cache.dir": 1,
        "agent.folder": 2,
        "runner.python": 3,
        "runner.exectest.clear_env": 4,
        "runner.identifier_format": 5,
        "run.test_parameters": 6,
        "mine": 7,
    }
    assert set(foreign(config).values()) == {4, 5, 6, 7}


def test_an_executable_is_given_what_it_names_and_what_all_take():
    config = {"a": 1, "b": 2, "runner.identifier_format": "x"}
    assert taken(config, Capability(("b",))) == {"b": 2, "runner.identifier_format": "x"}
    assert taken(config, Capability(())) == {"runner.identifier_format": "x"}


def test_one_that_does_not_say_what_it_takes_is_given_all():
    assert taken({"a": 1}, Capability()) == {"a": 1}


def test_what_it_says_is_read():
    assert Capability.read('{"configuration_used": ["a", "b"]}') == Capability(("a", "b"))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"configuration_used": "a"}', '{"configuration_used": [1]}']
)
def test_what_is_no_answer_says_nothing(text):
    assert Capability.read(text) == Capability()


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "program"
    path.write_text("one")
    return str(path)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(str(tmp_path / "memory"))


@pytest.mark.parametrize("said", [Capability(("a",)), Capability(()), Capability()])
def test_it_is_remembered_also_that_nothing_was_said(memory, program, tmp_path, said):
    assert memory.recall(program) is None
    memory.keep(program, said)
    found = Memory(str(tmp_path / "memory")).recall(program)
    assert found is not None
    assert taken({"a": 1, "b": 2}, found) == taken({"a": 1, "b": 2}, said)


def test_others_are_remembered_beside(memory, program, tmp_path):
    other = tmp_path / "other"
    other.write_text("")
    memory.keep(program, Capability(("a",)))
    memory.keep(str(other), Capability(("b",)))
    assert list(memory.recall(program).keys) == ["a"]
    assert list(memory.recall(str(other)).keys) == ["b"]


@pytest.mark.parametrize("change", ["size", "time", "gone"])
def test_a_program_that_has_changed_is_asked_again(memory, program, change):
    memory.keep(program, Capability(("a",)))
    before = Path(program).stat()
    if change == "size":
        Path(program).write_text("longer")
        os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "time":
        os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    else:
        Path(program).unlink()
    assert memory.recall(program) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"PROGRAM": 5}', '{"PROGRAM": [[1, 2]]}'])
def test_a_memory_that_is_broken_holds_nothing(tmp_path, program, text):
    (tmp_path / "memory").write_text(text.replace("PROGRAM", program))
    memory = Memory(str(tmp_path / "memory"))
    assert memory.recall(program) is None
    memory.keep(program, Capability(()))
    assert memory.recall(program) == Capability([])


def test_where_nothing_can_be_kept_nothing_is(tmp_path, program):
    memory = Memory(str(tmp_path / "no" / "memory"))
    memory.keep(program, Capability(("a",)))
    assert memory.recall(program) is None


def introduce(monkeypatch, tmp_path: Path, program: str) -> list[str]:
    """Return what the process becomes that asks a program with two settings."""
    became: list[str] = []
    monkeypatch.setattr(os, "execv", lambda _path, argv: became.extend(argv))
    memory = str(tmp_path / "memory")
    capability.main([memory, json.dumps({"a": 1, "b": 2}), program, "task-run", "-c", "{}"])
    return became


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ('echo \'{"configuration_used": ["b"]}\'; test $1 = capabilities', {"b": 2}),
        ("exit 3", {"a": 1, "b": 2}),
        ("kill -9 $$", {"a": 1, "b": 2}),
        ("sleep 300", {"a": 1, "b": 2}),
    ],
)
def test_who_asks_becomes_the_executable_whatever_that_answers(
    monkeypatch, tmp_path, program, text, settings
):
    monkeypatch.setattr(capability, "_ANSWERS_WITHIN", 0.2)
    Path(program).write_text(f"#!/bin/sh\n{text}\n")
    Path(program).chmod(0o755)
    *words, said = introduce(monkeypatch, tmp_path, program)
    assert words == [program, "task-run", "-c", "{}", "-c"]
    assert json.loads(said) == settings
    assert Memory(str(tmp_path / "memory")).recall(program) is not None


def test_an_executable_that_cannot_be_executed_is_told(tmp_path, program, capfd):
    assert capability.main([str(tmp_path / "memory"), "{}", program, "task-run"]) == 126
    assert f"{program} cannot be executed: Permission denied" in capfd.readouterr().err
