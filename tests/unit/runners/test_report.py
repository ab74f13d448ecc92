"""The file of reports, as the agent sees it and as payloads treat it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nrunner.runners.report import ReportFile


@pytest.fixture
def report(tmp_path: Path) -> ReportFile:
    report = ReportFile(f"{tmp_path}/slot/report")
    report.blank()
    return report


def leave(report: ReportFile, text: str) -> None:
    """Do what a payload does that finds its file."""
    file = os.open(report.path, os.O_WRONLY)
    os.pwrite(file, text.encode() + b"\n", 0)
    os.close(file)


def replace(report: ReportFile, text: str) -> None:
    """Do what a payload does that finds no file, or one that is not blank."""
    new = Path(report.path + ".new")
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_text(text)
    new.replace(report.path)


def test_a_payload_that_says_nothing_leaves_no_report(report: ReportFile) -> None:
    assert report.read() == b""


def test_a_report_is_read_as_it_was_left(report: ReportFile) -> None:
    leave(report, "a report")
    assert report.read() == b"a report"
    assert report.read() == b"a report"


def test_nothing_is_left_of_a_report_for_the_next_attempt(report: ReportFile) -> None:
    leave(report, "a long report")
    assert report.read() == b"a long report"
    report.blank()
    assert report.read() == b""
    leave(report, "short")
    assert report.read() == b"short"


def test_an_attempt_that_ends_unread_leaves_nothing_to_the_next(report: ReportFile) -> None:
    leave(report, "unread")
    report.blank()
    assert report.read() == b""


def test_what_an_attempt_put_in_its_place_and_nobody_read_is_not_the_next_ones(
    report: ReportFile,
) -> None:
    replace(report, "unread")
    report.blank()
    assert report.read() == b""


def test_a_folder_in_its_place_is_removed(report: ReportFile) -> None:
    Path(report.path).unlink()
    Path(report.path, "deep").mkdir(parents=True)
    report.blank()
    assert report.read() == b""


def test_one_file_serves_many_attempts(report: ReportFile) -> None:
    number = Path(report.path).stat().st_ino
    for text in ("one", "two", "three"):
        leave(report, text)
        assert report.read() == text.encode()
        report.blank()
    assert Path(report.path).stat().st_ino == number


def test_a_long_report_is_read_to_its_end(report: ReportFile) -> None:
    leave(report, "x" * 100_000)
    assert report.read() == b"x" * 100_000


@pytest.mark.parametrize("end", ["", "\n", "\nmore"])
def test_a_file_that_a_payload_put_in_its_place_counts(report: ReportFile, end: str) -> None:
    replace(report, "another" + end)
    assert report.read() == b"another"
    report.blank()
    assert report.read() == b""
    leave(report, "ours again")
    assert report.read() == b"ours again"


def test_a_folder_that_a_test_removed_is_made_again(report: ReportFile) -> None:
    Path(report.path).unlink()
    Path(report.path).parent.rmdir()
    with pytest.raises(FileNotFoundError):
        report.read()
    replace(report, "from a payload that made it")
    assert report.read() == b"from a payload that made it"
    report.blank()
    assert report.read() == b""


def test_a_pipe_is_no_report_and_not_waited_for(report: ReportFile) -> None:
    Path(report.path).unlink()
    os.mkfifo(report.path)
    with pytest.raises(OSError, match="seek"):
        report.read()
    report.blank()
    assert report.read() == b""


def test_a_link_is_not_followed(report: ReportFile) -> None:
    Path(report.path).unlink()
    Path(report.path).symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        report.read()
    report.blank()
    assert report.read() == b""


def test_a_file_that_somebody_may_still_write_to_is_given_up(report: ReportFile) -> None:
    kept = os.open(report.path, os.O_WRONLY)
    report.close()
    report.blank()
    os.pwrite(kept, b"too late\n", 0)
    os.close(kept)
    assert report.read() == b""
