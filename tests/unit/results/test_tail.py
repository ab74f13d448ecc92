import os
from dataclasses import replace

from nrunner.result import Result
from nrunner.results.tail import output_tail
from nrunner.testing.sample import HOSTILE_TEXTS, sample_report

FAILED = replace(sample_report(), result=Result.FAIL, outputs={"stdout": "out", "stderr": "err"})


def test_a_task_that_is_fine_shows_nothing(tmp_path):
    (tmp_path / "out").write_text("hello\n")
    assert output_tail(replace(FAILED, result=Result.PASS), tmp_path) == []


def test_both_streams_of_a_failed_task_are_shown(tmp_path):
    (tmp_path / "out").write_text("one\r\ntwo")
    (tmp_path / "err").write_bytes(b"bad \xff\x1b[1m\n")
    assert output_tail(FAILED, tmp_path) == [
        "     stdout | one",
        "     stdout | two",
        r"     stderr | bad \xff\x1b[1m",
    ]


def test_only_the_end_is_read(tmp_path):
    (tmp_path / "out").write_text("".join(f"line {number}\n" for number in range(100_000)))
    lines = output_tail(FAILED, tmp_path)
    assert len(lines) == 20
    assert lines[0] == "     stdout | line 99980"
    assert lines[-1] == "     stdout | line 99999"


def test_one_endless_line_is_cut(tmp_path):
    (tmp_path / "out").write_text("x" * 1_000_000)
    assert [len(line) for line in output_tail(FAILED, tmp_path)] == [2048 + 14]


def test_files_that_cannot_be_read_are_passed_over(tmp_path):
    os.mkfifo(tmp_path / "out")
    (tmp_path / "err").symlink_to("/etc/passwd")
    assert output_tail(FAILED, tmp_path) == []
    for text in HOSTILE_TEXTS:
        assert output_tail(replace(FAILED, outputs={"stdout": text}), tmp_path / "none") == []
