from pathlib import Path

import pytest

from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place
from nrunner.runners.tap import Tap

RUNNABLE = Runnable("tap", "./t/a.t")
ENDED_WELL = Exit(0)


def judge(folder: Path, text: str, end: Exit = ENDED_WELL) -> Outcome:
    place = Place(str(folder), str(folder), str(folder), str(folder))
    Path(place.stdout).write_text(text)
    return Tap().judge(RUNNABLE, place, end, None)


@pytest.mark.parametrize(
    ("text", "end", "result", "reason"),
    [
        ("1..1\nok 1\n", Exit(0), Result.PASS, None),
        ("1..1\nok 1\n", Exit(3), Result.FAIL, "exited with status 3"),
        ("1..1\nok 1\n", Exit(None, 9), Result.FAIL, "killed by signal 9 (SIGKILL)"),
        ("1..2\nok 1\nnot ok 2 - b\n", Exit(0), Result.FAIL, "1 of 2 tests failed: 2 (b)"),
        ("1..0 # SKIP not here\n", Exit(0), Result.SKIP, "not here"),
        ("1..0\n", Exit(0), Result.SKIP, None),
        ("1..2\nok 1 # SKIP a\nok 2 # SKIP b\n", Exit(0), Result.SKIP, None),
        ("1..2\nok 1 # SKIP a\nok 2 # skipped b\n", Exit(0), Result.PASS, None),
        ("1..2\nok 1 # SKIP a\nok 2\n", Exit(0), Result.PASS, None),
        ("1..0 # SKIP x\n", Exit(1), Result.FAIL, "exited with status 1"),
        (
            "1..1\nok 1 - x # TODO\n",
            Exit(0),
            Result.WARN,
            "passed though marked TODO: 1 (x)",
        ),
        ("1..1\nBail out! no db\n", Exit(0), Result.ERROR, "bailed out: no db"),
        ("1..3\nok 1\n", Exit(0), Result.ERROR, "not proper TAP: 3 tests planned, 1 run"),
        ("hello\n", Exit(0), None, "no plan and no tests in the output"),
        ("", Exit(2), None, "no plan and no tests in the output; exited with status 2"),
    ],
)
def test_the_verdict_is_that_of_prove(
    tmp_path: Path, text: str, end: Exit, result: Result | None, reason: str | None
) -> None:
    outcome = judge(tmp_path, text, end)
    assert outcome.result is result
    if result is not Result.ERROR:
        assert outcome.fail_reason == reason
    else:
        assert reason is not None
        assert outcome.fail_reason is not None
        assert outcome.fail_reason.startswith(reason)
    assert outcome.returncode == end.returncode


def test_no_file_means_that_nothing_was_printed(tmp_path: Path) -> None:
    folder = str(tmp_path / "none")
    outcome = Tap().judge(RUNNABLE, Place(folder, folder, folder, folder), Exit(0), None)
    assert outcome.result is None


def test_more_failures_than_are_kept_are_counted(tmp_path: Path) -> None:
    lines = "".join(f"not ok {number}\n" for number in range(1, 31))
    reason = judge(tmp_path, "1..30\n" + lines, Exit(30)).fail_reason
    assert reason is not None
    assert reason.startswith("30 of 30 tests failed: 1, 2, 3")
    assert reason.endswith("and 20 more; exited with status 30")


def test_the_command_is_the_program(tmp_path: Path) -> None:
    command = Tap().command(RUNNABLE, Place("/l", "/o", "/w", "/base"))
    assert isinstance(command, Command)
    assert command.argv == ("/base/t/a.t",)
