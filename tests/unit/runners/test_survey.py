import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nrunner.runners.survey import LEFT_OUT, Survey, _keep, file_names


def test_commands_are_known_by_their_words_and_files_by_their_last_part() -> None:
    commands = ["df -mP", "cat /proc/1/stat", "a\nb", "df -mP"]
    files = ["/proc/version", "/sys/version", "/etc/", "/x/left-out.txt", "/x/.."]
    assert file_names(commands, files) == [
        *("df -mP", "cat _proc_1_stat", "a_b", "df -mP (2)"),
        *("version", "sys_version", "etc", "x_left-out.txt", "x_.."),
    ]


def test_a_name_is_no_longer_than_a_file_system_takes() -> None:
    long = "\N{EURO SIGN}" * 300
    assert file_names([long, long], [f"/x/{long}"]) == [
        long[:40],
        f"{long[:40]} (2)",
        f"x_{long[:39]}",
    ]


def test_files_are_kept_up_to_a_limit_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    (tmp_path / "small").write_text("few words")
    (tmp_path / "large").write_bytes(b"x" * (1 << 20) + b"rest")
    files = [str(tmp_path / name) for name in ("small", "large", "none")]
    folder = tmp_path / "kept"
    left_out = Survey({"folder": str(folder), "files": [*files, str(tmp_path)]}).make()
    assert (folder / "small").read_text() == "few words"
    assert (folder / "large").stat().st_size == 1 << 20
    assert left_out == [
        f"{files[1]}: all but its first 1048576 bytes",
        f"{files[2]}: no such file or directory",
        f"{tmp_path}: it is no regular file",
    ]
    assert (folder / LEFT_OUT).read_text().splitlines() == left_out
    assert sorted(each.name for each in folder.iterdir()) == ["large", LEFT_OUT, "small"]


def test_a_survey_that_was_ended_runs_no_command_and_keeps_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    commands = [f"touch {tmp_path}/ran", "true"]
    survey = Survey({"folder": str(folder), "commands": commands, "files": ["/proc/version"]})
    survey.end()
    names = file_names(commands, [])
    assert survey.make() == [f"{each}: it was ended before it was complete" for each in names]
    assert sorted(each.name for each in folder.iterdir()) == [LEFT_OUT, "version"]
    assert not (tmp_path / "ran").exists()


def test_what_a_command_prints_right_before_its_end_is_kept_though_others_hold_its_output(
    tmp_path: Path,
) -> None:
    reading, writing = os.pipe()
    words = [b"last words"]

    def poll() -> int:
        """It prints them, and ends before anybody sees that."""
        os.write(writing, words.pop() if words else b"")
        return 0

    process: Any = SimpleNamespace(stdout=os.fdopen(reading, "rb"), poll=poll, wait=lambda _: 0)
    with process.stdout:
        assert _keep(process, str(tmp_path / "kept"), 5.0) is None
    os.close(writing)
    assert (tmp_path / "kept").read_bytes() == b"last words"
