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


def test_a_key_that_was_mistyped_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(RunnerError, match='key "sise": nobody knows it; did you mean "size"'):
        File().check(Requirement("file", "a", kwargs={"sise": 3}), str(tmp_path))
    both = {"bring": True, "from": "b"}
    assert File().check(Requirement("file", "a", kwargs=both), str(tmp_path)) is None


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


def test_a_file_is_as_it_is_demanded_or_it_is_said_in_what_it_differs(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "a").chmod(0o640)
    good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    def check(**kwargs: object) -> str:
        return File().check(Requirement("file", "a", kwargs=kwargs), str(tmp_path)) or ""

    assert check(size=3, mode="0640", sha256=good.upper()) == ""
    assert check(size="3", mode=640) == ""
    assert check(size=4) == "file 'a' has 3 bytes, not 4"
    assert check(mode="0600") == "file 'a' has the mode 0640, not 0600"
    assert check(sha256="0" * 64) == f"file 'a' has the sha256 {good}, not {'0' * 64}"
    endless = {"size": float("inf")}
    for wrong in ({"size": "big"}, {"mode": "rw"}, {"sha256": "abc"}, {"size": []}, endless):
        with pytest.raises(RunnerError, match=f'key "{next(iter(wrong))}": expected'):
            check(**wrong)


def test_only_a_hash_takes_time() -> None:
    assert File().is_instant(Requirement("file", "a", kwargs={"size": 3}))
    assert not File().is_instant(Requirement("file", "a", kwargs={"sha256": "0" * 64}))
