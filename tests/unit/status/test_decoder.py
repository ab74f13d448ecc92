from __future__ import annotations

import pytest

from nrunner.errors import MessageError
from nrunner.messages import Heartbeat, Message, parse
from nrunner.status.decoder import decode


def outcome(read: object, line: bytes) -> Message | str:
    assert callable(read)
    try:
        message: Message = read(line)
    except MessageError as error:
        return str(error)
    return message


@pytest.mark.parametrize(
    "line",
    [
        b'{"status": "running", "id": "1", "time": 1e999}',
        b'{"status": "running", "id": "1", "time": NaN}',
        b'{"status": "running", "id": "1", "time": -Infinity}',
        b'{"status": "running", "id": "1", "time": 1' + b"0" * 400 + b"}",
        b'{"status": "running", "id": "1", "time": 1, "other": NaN}',
        b'{"status": "running", "id": "1", "time": 1, "other": "\xff"}',
        b'{"status": "running", "id": "1", "time": 1, "other": "\xc3\xa9"}',
        b'{"status": "running", "id": "1", "time": 1, "other": "\\ud800"}',
        b'{"status": "running", "id": "\\ud800", "time": 1}',
        b'{"status": "running", "id": "1", "time": 1, "other": 01}',
        b'{"status": "running", "id": "1", "time": 1, "other": '
        + b"[" * 5_000
        + b"]" * 5_000
        + b"}",
        b'{"status": "running", "id": "1", "time": 1, "id": "2"}',
        b'{"status": "running", "id": "1", "time": 1} {}',
        b'{"status": "running", "id": 1, "time": 1}',
        b'{"status": "running", "id": "1", "time": 1, "log": 5, "log_level": "high"}',
        b'{"status": "running", "id": "1", "time": 1, "type": "stdout"}',
        b'{"status": "running", "id": "1", "time": 1, "type": "stdout", "log": null}',
        b'{"status": "running", "id": "1", "time": 1, "type": "stdout",'
        b' "log": {"__base64_encoded__": "aG!kK"}}',
        b'{"status": "running", "id": "1", "time": 1, "type": "stdout",'
        b' "log": {"__base64_encoded__": "aGkK"}, "log_only": "yes"}',
        b'{"status": "running", "id": "1", "time": 1, "type": "log",'
        b' "log": {"__base64_encoded__": "aGkK"}, "log_level": 9223372036854775808}',
        b'{"status": "started", "id": "1", "time": 1, "output_dir": 5}',
    ],
)
def test_odd_lines_are_read_or_refused_exactly_as_the_plain_parser_does(line: bytes) -> None:
    assert outcome(decode, line) == outcome(parse, line)


def test_a_line_may_come_in_a_bytearray() -> None:
    line = bytearray(b'{"status": "running", "id": "1", "time": 1, "job_id": "J"}')

    assert decode(line) == Heartbeat("1", 1.0, "J")
