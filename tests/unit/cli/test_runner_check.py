"""What ``nrunner runner check`` is asked for: program, kind and recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.cli import runner_check
from nrunner.cli.main import main
from nrunner.errors import ExitCode
from nrunner.runnable import Runnable
from nrunner.testing.executable_check import EXAMPLES, Check, Found, Subject


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    """What was to be checked; nothing is."""
    subjects: list[Subject] = []
    monkeypatch.setattr(runner_check, "checks", lambda subject: subjects.append(subject) or [])
    return subjects


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An executable on PATH."""
    path = tmp_path / "avocado-runner-my-kind"
    path.write_text("")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def test_the_kind_is_that_of_the_name_unless_it_is_said(asked, program):
    assert main(["runner", "check", program.name]) == 0
    assert main(["runner", "check", str(program), "--kind", "tap"]) == 0
    assert [(each.path, each.kind) for each in asked] == [
        (str(program), "my-kind"),
        (str(program), "tap"),
    ]
    assert asked[0].runnables == {}
    assert asked[1].runnables == EXAMPLES["tap"]


def test_recipes_are_files_or_json_and_replace_those_that_are_known(asked, program, tmp_path):
    (tmp_path / "bad.json").write_text('{"uri": "bad", "kind": "other"}')
    words = ["--passing", ' {"uri": "good"}', "--failing", str(tmp_path / "bad.json")]
    assert main(["runner", "check", program.name, "--kind", "tap", *words]) == 0
    assert asked[0].runnables == {
        "passing": Runnable("tap", "good"),
        "failing": Runnable("other", "bad"),
        "endless": EXAMPLES["tap"]["endless"],
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["none"], "check none: no such program"),
        (["sh"], "tell of which kind sh is: say --kind KIND"),
        (["--passing", "none.json"], "read the recipe for --passing: "),
        (["--passing", "{"], "read the recipe for --passing: not a JSON object: "),
        (["--passing", '{"uri": 5}'], 'read the recipe for --passing: key "uri": '),
    ],
)
def test_what_cannot_be_checked_is_refused(asked, program, capsys, words, reason):
    (program.parent / "sh").symlink_to(program)
    name = [program.name] if words[0].startswith("--") else []
    assert main(["runner", "check", *name, *words]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith(f"nrunner: could not {reason}")
    assert asked == []


def test_only_what_fails_makes_the_exit_code(monkeypatch, program, capsys):
    found = [Check(each.value, each, "why\nso") for each in Found]
    monkeypatch.setattr(runner_check, "checks", lambda _: found)
    assert main(["runner", "check", program.name]) == ExitCode.TESTS_FAILED
    assert "FAILED  fails: why so\n" in capsys.readouterr().out
    found[:] = [each for each in found if each.found is not Found.FAILS]
    assert main(["runner", "check", program.name]) == ExitCode.OK
