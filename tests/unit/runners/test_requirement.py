"""The child that checks or fulfils."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nrunner.errors import RequirementError, RunnerError
from nrunner.runnable import Requirement
from nrunner.runners import entry, registry, requirement
from nrunner.runners.base import REQUIREMENT, RequirementRunner


class Slow(RequirementRunner):
    """A file that can be made."""

    kind = "slow"
    description = "for this test"
    instant = False

    def check(self, requirement: Requirement, base_dir: str) -> str | None:
        if not requirement.uri:
            raise RunnerError("it needs a uri")
        return None if Path(base_dir, requirement.uri).exists() else f"no\n{requirement.uri}"

    def fulfil(self, requirement: Requirement, base_dir: str) -> None:
        if requirement.uri == "never":
            raise RequirementError("not in this\nlife")
        if requirement.uri == "full":
            raise OSError(28, "No space left on device")
        Path(base_dir, str(requirement.uri)).touch()


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "requirement_runner", lambda kind: Slow())
    monkeypatch.chdir(tmp_path)


def asked(verb: str, uri: str, report: Path) -> tuple[int, dict[str, object]]:
    words = ["requirement", verb]
    os.environ[REQUIREMENT] = json.dumps({"requirement": {"type": "slow", "uri": uri}})
    report.write_text("\n")
    status = entry.main([*words, str(report)] if verb == "fulfil" else words)
    line = report.read_text().partition("\n")[0]
    return status, json.loads(line) if line else {}


def test_a_check_answers_by_a_line_and_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("check", "x", tmp_path / "r") == (1, {})
    assert json.loads(capsys.readouterr().out) == {"met": False, "reason": "no x"}
    (tmp_path / "x").touch()
    assert asked("check", "x", tmp_path / "r") == (0, {})
    assert json.loads(capsys.readouterr().out) == {"met": True}
    assert asked("check", "", tmp_path / "r")[0] == 1
    assert "needs a uri" in capsys.readouterr().out


def test_a_fulfilment_says_whether_it_changed_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("fulfil", "x", tmp_path / "r") == (0, {"result": "pass", "changed": True})
    assert capsys.readouterr().out == "not met yet: no x\n"
    assert asked("fulfil", "x", tmp_path / "r") == (0, {"result": "pass", "changed": False})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("uri", "reason", "is_malformed"),
    [
        ("never", "not in this life", False),
        ("full", "[Errno 28] No space left on device", False),
        ("", "it needs a uri", True),
    ],
)
def test_a_fulfilment_that_fails_says_why_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    uri: str,
    reason: str,
    is_malformed: bool,
) -> None:
    status, said = asked("fulfil", uri, tmp_path / "r")
    assert (status, said["result"], said["fail_reason"]) == (1, "error", reason)
    assert bool(said.get("malformed")) is is_malformed
    assert capsys.readouterr().err == reason + "\n"


def test_a_reason_has_an_end() -> None:
    assert len(requirement.one_line("x" * 10_000)) < 1100


def test_a_link_in_place_of_the_report_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "r").symlink_to("precious")
    os.environ[REQUIREMENT] = '{"requirement": {"type": "slow", "uri": "x"}}'
    with pytest.raises(OSError, match="symbolic links"):
        requirement.main(["fulfil", str(tmp_path / "r")])
    assert (tmp_path / "precious").read_text() == "precious"
