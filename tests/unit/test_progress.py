"""What a journal tells of a job that nobody can ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nrunner.errors import JournalError
from nrunner.journal import Journal
from nrunner.progress import SettledTask, closing_of, exit_code_of, progress_of
from nrunner.record import replace
from nrunner.result import Result
from nrunner.testing.sample import sample_report

JOB = {"type": "job", "format": 1, "wall": 1_800_000_000.5, "total": 9, "command": ["x"]}
CLOSED = {"type": "closed", "exit_code": 1}


def written(path: Path, *records: dict[str, Any]) -> Path:
    journal = Journal(path / "journal.jsonl")
    journal.append(records)
    journal.close()
    return journal.path


def settled(number: int, result: Result, detail: str = "") -> dict[str, Any]:
    report = replace(sample_report(number), id=f"{number}-x", result=result, detail=detail)
    return {"type": "settled", "task": number, "report": report}


def kinds(records: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in records]


def test_what_was_settled_is_told_in_its_order_and_counted(tmp_path):
    move = {"type": "move", "task": 3, "attempt": 1, "phase": "STARTED", "time": 1.0}
    path = written(
        tmp_path, JOB, settled(2, Result.PASS), move, settled(1, Result.FAIL, "exited with 1")
    )
    progress = progress_of(path)
    assert (progress.start, progress.total) == (1_800_000_000.5, 9)
    assert progress.settled == (
        SettledTask(2, "2-x", Result.PASS),
        SettledTask(1, "1-x", Result.FAIL, "exited with 1"),
    )
    assert {each: count for each, count in progress.tally.items() if count} == {
        Result.PASS: 1,
        Result.FAIL: 1,
    }


def test_a_torn_end_is_passed_over(tmp_path):
    path = written(tmp_path, JOB, settled(1, Result.PASS))
    with path.open("ab") as file:
        file.write(b'{"type":"settled","task":2,"report":{"number":2,"id":"2-')
    assert [each.number for each in progress_of(path).settled] == [1]


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b'{"type":"settled"}\n', b"[]\n"])
def test_a_journal_that_says_nothing_of_a_plan_is_an_error(tmp_path, content):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="does not say what was planned"):
        progress_of(path)
    with pytest.raises(JournalError, match="No such file"):
        progress_of(tmp_path / "gone")


def test_the_end_of_a_job_is_found_with_what_followed(tmp_path):
    long = settled(1, Result.ERROR, "x" * 100_000)
    notice = {"type": "notice", "text": "no report"}
    last = {"type": "exit", "exit_code": 3}
    path = written(tmp_path, JOB, {"type": "notice", "text": "before"}, long, CLOSED, notice, last)
    found = closing_of(path)
    assert kinds(found) == ["closed", "notice", "exit"]
    assert exit_code_of(path) == 3


@pytest.mark.parametrize("records", [[JOB], [JOB, CLOSED, {"type": "resumed", "epoch": 2}]])
def test_a_job_that_is_not_over_has_no_end(tmp_path, records):
    path = written(tmp_path, *records)
    assert (closing_of(path), exit_code_of(path)) == ([], None)
    assert closing_of(tmp_path / "gone") == []


def test_a_job_that_went_on_after_its_end_has_a_new_end(tmp_path):
    found = closing_of(written(tmp_path, JOB, CLOSED, {"type": "resumed"}, CLOSED))
    assert kinds(found) == ["closed"]


def test_the_rest_of_a_line_at_the_edge_of_what_is_read_is_no_end(tmp_path):
    path = tmp_path / "journal.jsonl"
    text = json.dumps({"type": "notice", "text": 'x"},{"type":"closed"}' * 10_000})
    path.write_text(text + "\n" + msgspec.json.encode(JOB).decode() + "\n")
    assert closing_of(path) == []
