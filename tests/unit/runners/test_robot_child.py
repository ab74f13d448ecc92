"""What the child decides without Robot Framework; the rest is in tests/functional."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from nrunner.runners import robot_child
from nrunner.runners.robot_child import _leads_to, _outcome, _patterns, _run, _source, _split


def test_the_name_of_a_test_begins_behind_the_part_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a:b.robot").touch()
    assert _split("a:b.robot:A.x:y", str(tmp_path)) == ("a:b.robot", "A.x:y")
    assert _split("a:b.robot", str(tmp_path)) == ("a:b.robot", "")
    assert _split("none.robot:X", str(tmp_path)) == ("none.robot", "X")


def test_what_robot_takes_for_wildcards_stands_for_itself() -> None:
    assert _patterns("A.Is [x]? *") == ["A.Is [[]x][?] [*]", "*.A.Is [[]x][?] [*]"]
    assert _patterns("") == []


@pytest.mark.parametrize(
    ("inits", "top"),
    [((), None), (("here/in",), "here/in"), (("here",), "here"), (("", "here"), "here")],
)
def test_a_file_is_read_within_the_topmost_suite_below_where_the_user_is(
    tmp_path: Path, inits: tuple[str, ...], top: str | None
) -> None:
    file = tmp_path / "here/in/a.robot"
    file.parent.mkdir(parents=True)
    for each in inits:
        (tmp_path / each / "__init__.robot").touch()
    found = source(file, tmp_path / "here")
    if top is None:
        assert found == [str(file)]
    else:
        assert found == ["--parseinclude", str(file), str(tmp_path / top)]


def test_elsewhere_only_an_unbroken_row_of_suites_counts(tmp_path: Path) -> None:
    file = tmp_path / "a/b/c/x.robot"
    file.parent.mkdir(parents=True)
    (tmp_path / "a/__init__.robot").touch()
    assert source(file, tmp_path / "other") == [str(file)]
    (tmp_path / "a/b/c/__init__.robot").touch()
    assert source(file, tmp_path / "other")[-1] == str(tmp_path / "a/b/c")


def source(file: Path, base_dir: Path) -> list[str]:
    return _source(SimpleNamespace(only=""), str(file), str(base_dir))


def test_an_old_robot_reads_the_folder_and_takes_out_all_other_suites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/__init__.robot").touch()
    monkeypatch.setattr(robot_child, "robot", lambda *_: "6.0.2")
    made, file = SimpleNamespace(only=""), tmp_path / "in/a.robot"
    assert _source(made, str(file), str(tmp_path)) == [str(tmp_path / "in")]
    assert made.only == str(file)
    assert _leads_to(str(tmp_path / "in"), made.only)
    assert _leads_to(str(file), made.only)
    assert not _leads_to(str(tmp_path / "i"), made.only)


@pytest.mark.parametrize(
    ("error", "told"),
    [(MemoryError(), "MemoryError"), (OSError("no disk\nat all"), "OSError: no disk")],
)
def test_what_ends_robot_itself_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    class Command:
        problem = ""

        def execute_cli(self, *_: object, **__: object) -> int:
            raise error

    monkeypatch.setattr(robot_child, "_application", lambda _: Command)
    monkeypatch.setattr(robot_child, "_source", lambda *_: [])
    (tmp_path / "x.robot").touch()
    uri = str(tmp_path / "x.robot")
    spec = {"uri": uri, "base_dir": str(tmp_path), "output_dir": "x", "options": []}
    assert _run(spec) == {"result": "error", "fail_reason": told, "malformed": False}


def ended(*statuses: str) -> list[SimpleNamespace]:
    suite = SimpleNamespace(name="S")
    return [
        SimpleNamespace(name=f"t{n}", status=status, message=f"why\n  {n}", parent=suite)
        for n, status in enumerate(statuses)
    ]


@pytest.mark.parametrize(
    ("statuses", "is_one", "result", "reason"),
    [
        (["FAIL"], True, "fail", "why 0"),
        (["PASS", "FAIL"], True, "fail", "1 of 2 tests failed: t1"),
        (["PASS", "SKIP"], False, "pass", "1 of 2 tests skipped"),
        (["SKIP", "SKIP"], False, "skip", "2 of 2 tests skipped"),
        (["FAIL"] * 12, False, "fail", "t9 and 2 more"),
        ([], False, "skip", "no test is left of it"),
    ],
)
def test_the_outcome_of_a_suite_is_that_of_its_tests(
    statuses: list[str], is_one: bool, result: str, reason: str
) -> None:
    outcome = _outcome(ended(*statuses), is_one)
    assert outcome["result"] == result
    assert reason in outcome["fail_reason"]


def test_a_missing_robot_is_named_with_its_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(module: str, name: str) -> None:
        raise ModuleNotFoundError("No module named 'robot'")

    monkeypatch.setattr(robot_child, "robot", absent)
    (tmp_path / "a.robot").touch()
    spec = {"uri": str(tmp_path / "a.robot"), "base_dir": str(tmp_path)}
    outcome = robot_child._run(spec)
    assert (outcome["result"], outcome["malformed"]) == ("error", True)
    assert "there is no Robot Framework for /" in outcome["fail_reason"]
