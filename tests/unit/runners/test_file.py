from pathlib import Path

import pytest

from nrunner.errors import RequirementError, RunnerError
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.base import Exit, Outcome, Place
from nrunner.runners.file import File


@pytest.mark.parametrize("name", ["mylib.py", "./mylib.py", ".", "sub/../mylib.py"])
def test_a_file_or_folder_that_is_there_meets_the_requirement(tmp_path: Path, name: str) -> None:
    (tmp_path / "mylib.py").write_text("")
    (tmp_path / "sub").mkdir()
    assert File().check(Requirement("file", name), str(tmp_path)) is None


@pytest.mark.parametrize("key", ["name", "path"])
def test_the_file_may_be_named_by_a_kwarg(tmp_path: Path, key: str) -> None:
    (tmp_path / "a").write_text("")
    assert File().check(Requirement("file", kwargs={key: "a"}), str(tmp_path)) is None


def test_a_missing_file_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    reason = File().check(Requirement("file", "mylib.py"), str(tmp_path))
    assert reason is not None
    assert "'mylib.py': no such file or directory" in reason
    assert str(tmp_path) in reason
    with pytest.raises(RequirementError, match="no such file"):
        File().fulfil(Requirement("file", "mylib.py"), str(tmp_path))


@pytest.mark.parametrize("what", [Requirement("file"), Requirement("file", kwargs={"name": 5})])
def test_a_requirement_without_a_name_can_never_hold(what: Requirement) -> None:
    with pytest.raises(RunnerError, match="needs a uri"):
        File().check(what, "/")


def test_a_name_with_a_nul_is_a_reason_not_a_crash() -> None:
    assert "null" in (File().check(Requirement("file", "a\0b"), "/") or "")


def test_as_a_runnable_it_needs_no_process(tmp_path: Path) -> None:
    place = Place("/l", "/o", "/w", str(tmp_path))
    assert File().command(Runnable("file", "."), place) == Outcome(Result.PASS)
    missing = File().command(Runnable("file", "a"), place)
    assert isinstance(missing, Outcome)
    assert missing.result is Result.ERROR
    with pytest.raises(RunnerError):
        File().judge(Runnable("file", "a"), place, Exit(0), None)
