from __future__ import annotations

import json
from typing import Any

import pytest

from nrunner.errors import MessageError
from nrunner.messages import (
    FileData,
    Finished,
    Heartbeat,
    Ignored,
    Log,
    Message,
    Output,
    Started,
    Whiteboard,
    dump,
    parse,
    parse_object,
)
from nrunner.result import Result

BODY = {"__base64_encoded__": "aGkK"}


def an_object(**fields: Any) -> dict[str, Any]:
    return {"status": "running", "time": 1.5, "id": "1-x", "job_id": "J", **fields}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"status": "started", "output_dir": "/o"}, Started("1-x", 1.5, "J", "/o")),
        ({"status": "started"}, Started("1-x", 1.5, "J", None)),
        ({}, Heartbeat("1-x", 1.5, "J")),
        ({"type": None}, Heartbeat("1-x", 1.5, "J")),
        (
            {"type": "log", "log": BODY, "log_name": "n", "log_level": 10, "log_levelname": "D"},
            Log("1-x", 1.5, "J", b"hi\n", None, "n", 10, "D"),
        ),
        (
            {"type": "stdout", "log": BODY, "log_only": True, "encoding": "utf-8"},
            Output("1-x", 1.5, "J", "stdout", b"hi\n", "utf-8", log_only=True),
        ),
        ({"type": "stderr", "log": BODY}, Output("1-x", 1.5, "J", "stderr", b"hi\n")),
        ({"type": "output", "log": BODY}, Output("1-x", 1.5, "J", "stdout", b"hi\n")),
        ({"type": "whiteboard", "log": BODY}, Whiteboard("1-x", 1.5, "J", b"hi\n")),
        ({"type": "file", "log": BODY, "path": "a/b"}, FileData("1-x", 1.5, "J", "a/b", b"hi\n")),
        ({"type": "later"}, Ignored("1-x", 1.5, "J", "later")),
        ({"status": "finished", "result": "pass"}, Finished("1-x", 1.5, "J", Result.PASS)),
        ({"status": "finished", "result": "PASS"}, Finished("1-x", 1.5, "J", Result.PASS)),
        ({"status": "finished", "result": ""}, Finished("1-x", 1.5, "J", None)),
        (
            {"status": "finished", "result": "fail", "fail_reason": "no", "returncode": 3},
            Finished("1-x", 1.5, "J", Result.FAIL, "no", 3),
        ),
        ({"id": 7}, Heartbeat("7", 1.5, "J")),
        ({"job_id": None, "extra": [1]}, Heartbeat("1-x", 1.5, None)),
    ],
)
def test_each_sort_of_message_is_read(fields: dict[str, Any], message: Message) -> None:
    assert parse(json.dumps(an_object(**fields)).encode()) == message


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"status": "over"}, "field \"status\": unknown value 'over'"),
        ({"status": ["x"]}, 'field "status": unknown value of type list'),
        ({"status": "x" * 10_000}, "xxx'..."),
        ({"id": None}, 'field "id": expected a string'),
        ({"id": True}, 'field "id": expected a string'),
        ({"id": 1.0}, 'field "id": expected a string'),
        ({"time": "1.5"}, 'field "time": expected a number'),
        ({"time": None}, 'field "time": expected a number'),
        ({"time": True}, 'field "time": expected a number'),
        ({"time": float("nan")}, 'field "time": expected a number'),
        ({"time": float("inf")}, 'field "time": expected a number'),
        ({"time": 10**400}, 'field "time": expected a number'),
        ({"time": []}, 'field "time": expected a number'),
        ({"job_id": 1}, 'field "job_id": expected a string'),
        ({"type": "stdout"}, 'field "log": expected {"__base64_encoded__"'),
        ({"type": "stdout", "log": "plain"}, 'field "log": expected {"__base64_encoded__"'),
        ({"type": "log", "log": {"__base64_encoded__": "###"}}, 'field "log": not base64'),
        ({"type": "log", "log": {"__base64_encoded__": "é"}}, 'field "log": not base64'),
        ({"type": "log", "log": BODY, "log_level": 1.5}, 'field "log_level": expected an integer'),
        ({"status": "finished"}, 'field "result": expected a string'),
        ({"status": "finished", "result": "great"}, "field \"result\": unknown value 'great'"),
        ({"status": "finished", "result": "pass", "returncode": 2**63}, 'field "returncode"'),
    ],
)
def test_a_bad_message_is_refused_with_the_field_in_short(
    fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(MessageError) as caught:
        parse(json.dumps(an_object(**fields)).encode())

    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"status": "running"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"time": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_message_at_all_is_refused(line: bytes) -> None:
    with pytest.raises(MessageError):
        parse(line)


def test_a_field_that_nests_deeply_is_refused_or_ignored_without_any_other_error() -> None:
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]

    assert parse_object(an_object(type=value)) == Ignored("1-x", 1.5, "J", "")
    with pytest.raises(MessageError, match="of type list"):
        parse_object(an_object(status=value))


def test_text_for_reports_can_always_be_written_as_utf_8() -> None:
    line = json.dumps(an_object(status="finished", result="fail", fail_reason="a\ud800é"))

    message = parse(line.encode())

    assert isinstance(message, Finished)
    assert message.fail_reason == "a\\ud800é"


def test_text_for_reports_is_bounded_and_keeps_both_ends() -> None:
    text = "begin" + "x" * 1_000_000 + "end"

    message = parse_object(an_object(status="finished", result="fail", traceback=text))

    assert isinstance(message, Finished)
    assert message.traceback is not None
    assert len(message.traceback) < 263_000
    assert message.traceback.startswith("begin")
    assert message.traceback.endswith("end")
    assert "737864 characters left out" in message.traceback


def test_a_dumped_message_is_one_ascii_line_without_fields_that_say_nothing() -> None:
    line = dump(Finished("1-é\n", 2.0, None, Result.INTERRUPT, "näh"))

    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert json.loads(line) == {
        "status": "finished",
        "result": "interrupted",
        "fail_reason": "näh",
        "time": 2.0,
        "id": "1-é\n",
    }
