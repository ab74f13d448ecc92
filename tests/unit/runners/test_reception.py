"""Messages of payloads that speak for themselves, line by line."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.attempt import Attempt, Order, Settings
from nrunner.runners.base import Outcome
from nrunner.runners.loop import Loop
from nrunner.runners.reception import Reception
from nrunner.runners.slot import Slot


@pytest.fixture
def attempt(tmp_path):
    log_dir = tmp_path / "log"
    log_dir.mkdir()
    attempt = Attempt(Order(1, 1, "1-x", Runnable("strange", "x"), str(log_dir)))
    slot = Slot(str(tmp_path / "slot"))
    slot.open()
    attempt.place_in(slot, Settings())
    yield attempt
    slot.remove()


@pytest.fixture
def heard():
    return []


@pytest.fixture
def reception(attempt, heard, tmp_path):
    """A reception that does not listen: lines are handed to it."""
    loop = Loop()
    yield Reception(loop, str(tmp_path / "status"), attempt, heard.append)
    loop._poll.close()
    os.close(loop._woken)
    os.close(loop._wake)


def say(reception: Reception, *, task: str = "1-x", status: str = "running", **fields) -> None:
    line = json.dumps({"id": task, "time": 1.0, "status": status, **fields})
    reception.take(line.encode())


def data(content: bytes) -> dict[str, str]:
    return {"__base64_encoded__": base64.b64encode(content).decode()}


def test_a_finished_message_is_the_payloads_word(reception, attempt, heard):
    say(reception, status="started", output_dir="/x")
    say(reception, status="finished", result="fail", fail_reason="why", returncode=3)
    assert attempt.said.result is Result.FAIL
    assert (attempt.said.fail_reason, attempt.said.returncode) == ("why", 3)
    assert heard == [attempt]
    assert reception.refused == 0


def test_a_second_last_word_is_refused(reception, attempt, heard):
    say(reception, status="finished", result="fail")
    say(reception, status="finished", result="pass")
    assert attempt.said.result is Result.FAIL
    assert heard == [attempt]
    assert reception.refused == 1


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"id": "1-x"}', b"\xff", b'{"id": []}'])
def test_what_is_no_message_is_refused_and_counted(reception, attempt, line):
    reception.take(line)
    assert reception.refused == 1
    assert attempt.said is None


@pytest.mark.parametrize("task", ["2-x", "1", "", "1-x ", 1, -1])
def test_a_message_about_another_task_is_refused(reception, attempt, task):
    say(reception, task=task, status="finished", result="pass")
    assert (reception.refused, attempt.said) == (1, None)
    assert reception.reason == "it is not about the task that has this socket"


def test_people_are_told_how_many_messages_were_refused_and_why_the_first_was(reception):
    assert reception.summary() == ""
    reception.take(b"{}")
    assert reception.summary() == 'refused a status message of 1-x: field "id": expected a string'
    reception.take(b"nonsense")
    assert reception.summary() == 'refused 2 status messages of 1-x: field "id": expected a string'


def test_who_did_not_hear_the_end_is_told_that_something_was_refused(reception):
    silent = Outcome(None, "ended without a finished message", contract=True)
    assert reception.blamed(silent) is silent
    reception.take(b"{}")
    told = 'ended without a finished message (a message of it was refused: field "id": expected a'
    assert reception.blamed(silent).fail_reason == f"{told} string)"
    reception.take(b"{}")
    assert "(2 messages of it were refused: " in (reception.blamed(silent).fail_reason or "")
    assert reception.blamed(silent).contract


def test_whose_end_was_heard_is_not_blamed_for_what_was_refused(reception):
    say(reception, status="finished", result="fail", fail_reason="why")
    say(reception, status="finished", result="pass")
    outcome = Outcome(Result.FAIL, "why")
    assert reception.blamed(outcome) is outcome


def test_output_and_logs_are_appended_to_the_tasks_files(reception, attempt):
    for piece in (b"one ", b"two"):
        say(reception, type="stdout", log=data(piece))
        say(reception, type="log", log=data(piece))
    say(reception, type="stderr", log=data(b"kept already"), log_only=True)
    log_dir = Path(attempt.order.log_dir)
    assert (log_dir / "stdout").read_bytes() == b"one two"
    assert (log_dir / "debug.log").read_bytes() == b"one \ntwo\n"
    assert not (log_dir / "stderr").exists()


def test_the_whiteboard_is_kept_and_told_up_to_a_bound(reception, attempt):
    for _ in range(3):
        say(reception, type="whiteboard", log=data(b"x" * 30_000))
    assert attempt.whiteboard == "x" * (64 << 10)
    assert (Path(attempt.order.log_dir) / "whiteboard").stat().st_size == 90_000


def test_a_file_is_appended_to_in_the_output_folder(reception, attempt):
    say(reception, type="file", path="a/b", log=data(b"1"))
    say(reception, type="file", path="a/b", log=data(b"2"))
    assert (Path(attempt.place.output_dir) / "a" / "b").read_bytes() == b"12"


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", ".", "link/x", "nul\0x"])
def test_a_file_outside_the_output_folder_is_refused(reception, attempt, tmp_path, path):
    (Path(attempt.place.output_dir) / "link").symlink_to(tmp_path)
    before = sorted(tmp_path.rglob("x"))
    say(reception, type="file", path=path, log=data(b"1"))
    assert reception.refused == 1
    assert sorted(tmp_path.rglob("x")) == before


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("\ud800", "not the name of a file"),
        ("x" * 4096, "not the name of a file"),
        ("a/" * (1 << 18) + "x", "not the name of a file"),
        ("a/" * 1500 + "x", "more than 64 folders deep"),
    ],
    ids=range(4),
)
def test_a_name_that_no_file_can_have_is_refused_in_few_words(reception, attempt, path, reason):
    say(reception, type="file", path=path, log=data(b"1"))
    assert reception.refused == 1
    assert reception.reason == f'field "path": {reason}'
    assert not list(Path(attempt.place.output_dir).iterdir())


def test_a_name_that_is_no_text_is_one_nevertheless(reception, attempt):
    say(reception, type="file", path="\udcff", log=data(b"1"))
    assert [each.name for each in Path(attempt.place.output_dir).iterdir()] == ["\udcff"]


def test_a_link_or_pipe_in_place_of_a_log_is_neither_followed_nor_waited_for(
    reception, attempt, tmp_path
):
    log_dir = Path(attempt.order.log_dir)
    (tmp_path / "precious").write_bytes(b"mine")
    (log_dir / "stdout").symlink_to(tmp_path / "precious")
    os.mkfifo(log_dir / "debug.log")
    say(reception, type="stdout", log=data(b"1"))
    say(reception, type="log", log=data(b"1"))
    assert reception.refused == 2
    assert (tmp_path / "precious").read_bytes() == b"mine"
