from __future__ import annotations

import base64
import os
import tracemalloc

import pytest

from nrunner.errors import MessageError
from nrunner.messages import Output, Whiteboard, parse
from nrunner.runners.line import LONGEST, Budget, Lines
from nrunner.runners.long_line import LongLine

KIB = 1024
BEGINNING = b'{"id": "1-x", "status": "running", "time": 1.0, "type": "stdout", '


def lines_of(limit: int = 0) -> tuple[Lines, list[bytes], Budget]:
    refused: list[bytes] = []
    budget = Budget(limit)
    return Lines(budget, refused.append), refused, budget


def test_a_line_is_given_when_its_newline_comes() -> None:
    lines, _, _ = lines_of()

    assert lines.feed(b"ab") == []
    assert lines.feed(b"c\nde\nf") == [b"abc", b"de"]
    assert lines.feed(b"\n\n") == [b"f", b""]


def test_the_last_line_needs_no_newline() -> None:
    lines, _, _ = lines_of()
    lines.feed(b"one\ntwo")

    assert lines.finish() == [b"two"]
    assert lines.finish() == []


def test_a_long_line_is_held_in_the_budget_and_given_back() -> None:
    lines, refused, budget = lines_of(limit=300 * KIB)
    for _ in range(3):
        lines.feed(b"x" * 100 * KIB)

    assert budget.held == 236 * KIB
    assert lines.feed(b"\nnext\n") == [b"x" * 300 * KIB, b"next"]
    assert budget.held == 0
    assert refused == []


def test_a_line_beyond_the_budget_is_skipped_up_to_its_newline_and_the_stream_lives() -> None:
    lines, refused, budget = lines_of(limit=100 * KIB)
    for _ in range(5):
        assert lines.feed(b"y" * 100 * KIB) == []

    assert budget.held == 0
    assert lines.feed(b"end of it\ngood\n") == [b"good"]
    assert refused == [b"y" * 120]


def test_a_line_that_is_refused_at_its_very_end_is_not_given() -> None:
    lines, refused, budget = lines_of(limit=0)
    lines.feed(b"x" * 60 * KIB)

    assert lines.feed(b"x" * 10 * KIB + b"\ngood\n") == [b"good"]
    assert len(refused) == 1
    assert budget.held == 0


def test_a_refused_line_without_a_newline_leaves_nothing_at_the_end() -> None:
    lines, _, _ = lines_of()
    lines.feed(b"x" * 65 * KIB)

    assert lines.finish() == []
    assert lines.feed(b"good\n") == [b"good"]


def test_a_greedy_stream_leaves_room_for_short_lines_of_others() -> None:
    greedy, _, budget = lines_of(limit=100 * KIB)
    other = Lines(budget, lambda _: None)
    greedy.feed(b"x" * 164 * KIB)
    assert budget.held == budget.limit

    other.feed(b"y" * 60 * KIB)

    assert other.feed(b"\n") == [b"y" * 60 * KIB]


def pieces(data: bytes, size: int = 30_000) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def long_line(data: bytes, before: bytes = BEGINNING, after: bytes = b"}}") -> bytes:
    return before + b'"log": {"__base64_encoded__": "' + base64.b64encode(data) + b'"' + after


def read(line: bytes, limit: int = 1 << 30, size: int = 30_000) -> list[object]:
    """Return what comes of a line: a message, or what is wrong with it; nothing if refused."""
    lines, refused, budget = lines_of(limit)
    found = [each for piece in pieces(line + b"\n", size) for each in lines.feed(piece)]
    assert budget.held == 0
    assert len(found) + len(refused) == 1
    try:
        return [each.read(parse) if isinstance(each, LongLine) else parse(each) for each in found]
    except MessageError as error:
        return [str(error)]


@pytest.mark.parametrize("size", [LONGEST, 3 << 20, (3 << 20) + 1, (3 << 20) + 2])
def test_a_line_may_be_long_for_its_data(size: int) -> None:
    data = os.urandom(size)

    assert read(long_line(data)) == [Output("1-x", 1.0, None, "stdout", data)]


@pytest.mark.parametrize("size", [(2 << 20) + 1, (2 << 20) + 2, (2 << 20) + 3])
def test_long_data_may_be_cut_anywhere_at_its_end(size: int) -> None:
    data = os.urandom(size)
    line = long_line(data)
    for cut in range(len(line) - 8, len(line)):
        found = LongLine()
        assert found.feed(line[:cut], LONGEST)
        assert found.feed(line[cut:], LONGEST)
        assert found.read(parse) == Output("1-x", 1.0, None, "stdout", data)


@pytest.mark.parametrize("size", [64 * KIB, 1001, 101])
@pytest.mark.parametrize(
    "escapes",
    [
        {b"/": b"\\/"},
        {b"/": b"\\u002F", b"+": b"\\u002B", b"=": b"\\u003D"},
        {b"/": b"\\/", b"+": b"\\u002b", b"=": b"\\u003d", b"A": b"\\u0041"},
    ],
    ids=["slashes", "signs", "letters"],
)
def test_letters_of_long_data_may_be_escaped_wherever_the_line_is_cut(
    escapes: dict[bytes, bytes], size: int
) -> None:
    """As encoders of other languages do it, though base64 needs none of that."""
    data = os.urandom(1_500_001)
    head, letters, tail = long_line(data).rpartition(base64.b64encode(data))
    for letter, escape in escapes.items():
        letters = letters.replace(letter, escape)

    assert read(head + letters + tail, size=size) == [Output("1-x", 1.0, None, "stdout", data)]


def test_an_escaped_backslash_is_none_wherever_the_line_is_cut() -> None:
    line = long_line(bytes(2 << 20))
    start = line.index(b"A" * 8)
    for place in range(start + 4, start + 8):
        wrong = line[:place] + rb"\\/" + line[place + 1 :]
        for cut in range(place - 1, place + 5):
            found = LongLine()
            parts = (wrong[:cut], wrong[cut : cut + 1], wrong[cut + 1 :])
            assert not all(found.feed(part, LONGEST) for part in parts)


def test_what_stands_behind_the_data_counts_too() -> None:
    data = os.urandom(2 << 20)
    after = b'}, "id": "1-x", "status": "running", "time": 1.0, "type": "whiteboard"}'

    assert read(long_line(data, b"{", after)) == [Whiteboard("1-x", 1.0, None, data)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"x": "' + b"y" * LONGEST + b'"}',
        b"[" * (LONGEST + 1),
        b'{"x": [' + b"{}," * LONGEST + b"0]}",
        long_line(bytes(2 << 20), after=b'}, "x": "' + b"y" * LONGEST + b'"}'),
        long_line(bytes(2 << 20), b'{"x": "' + b"y" * LONGEST + b'",'),
        long_line(bytes(2 << 20)).replace(b"A" * 8, b"A==="),
        long_line(bytes(2 << 20))[:-4] + b"!" + b'"}}',
        long_line(bytes(2 << 20)).replace(b"A" * 8, b"\\\\/" + b"A" * 7, 1),
        long_line(bytes(2 << 20))[:-4] + b"\\u004" + b'"}}',
    ],
    ids=[
        *("text", "deep", "wide", "text behind", "text before", "padding inside", "no base64"),
        *("escaped escape", "half an escape"),
    ],
)
def test_a_line_that_is_long_for_anything_else_is_refused_before_it_is_read(line: bytes) -> None:
    assert read(line) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (long_line(bytes(2 << 20), b'{"x": 1, '), 'field "id"'),
        (long_line(bytes(2 << 20), BEGINNING, b"]}"), "not JSON"),
        (long_line(bytes(3 << 20))[:-3], "not JSON"),
        (long_line(bytes(2 << 20), BEGINNING.replace(b"running", b"started")), "data alone"),
        (long_line(bytes(2 << 20), BEGINNING + b'"x":', b'}, "log": {"y": 1}}'), "not JSON"),
        (
            long_line(
                bytes(2 << 20),
                BEGINNING + b'"more": {',
                b'}}, "log": {"__base64_encoded__": "aGk="}}',
            ),
            "data alone",
        ),
    ],
    ids=["no id", "no object", "cut off", "another kind", "no value", "another field"],
)
def test_a_long_line_that_is_no_message_says_why(line: bytes, reason: str) -> None:
    (said,) = read(line)

    assert reason in str(said)


def test_a_long_line_costs_no_more_memory_than_what_is_in_it() -> None:
    """Of 40 MB of text 30 MB of data come; what a reader of the whole line needs is 150 MB."""
    lines, _, _ = lines_of(limit=1 << 30)
    head, tail = long_line(b"").split(b'""')
    piece = b"YWFh" * 10_000
    tracemalloc.start()
    try:
        lines.feed(head + b'"')
        for _ in range(1_000):
            lines.feed(piece)
        (line,) = lines.feed(b'"' + tail + b"\n")
        assert isinstance(line, LongLine)
        message = line.read(parse)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(message, Output)
    assert message.data == b"aaa" * 10_000_000
    assert peak < 45_000_000
