"""Frames, one by one: what is accepted, what is refused, and that a refusal costs one frame."""

from __future__ import annotations

import json

import pytest

from nrunner.errors import ProtocolError
from nrunner.runners import wire
from nrunner.runners.wire import MAX_BODY, MAX_HEAD, Frame, FrameReader, encode

GOOD = encode({"type": "good"})
NEXT = [Frame({"type": "good"})]


@pytest.fixture
def small(monkeypatch):
    """Make limits that a test can reach quickly."""
    monkeypatch.setattr(wire, "MAX_HEAD", 64)
    monkeypatch.setattr(wire, "MAX_BODY", 128)


def test_a_frame_is_one_line_of_compact_json():
    assert encode({"type": "ack", "seq": 3}) == b'{"type":"ack","seq":3}\n'


def test_a_body_follows_its_line_and_its_size_is_in_it():
    assert encode({"type": "put"}, b"a\nb") == b'{"type":"put","body":3}\na\nb'


def test_encoding_does_not_change_what_it_was_given():
    head = {"type": "put"}
    encode(head, b"body")
    assert head == {"type": "put"}


@pytest.mark.parametrize("text", ["\n", "\r\n", "\x00", "é", "\u2028", "\udcff", "𝄞"])
def test_no_text_can_break_a_line(text):
    data = encode({"text": text})
    assert data.count(b"\n") == 1
    assert FrameReader().feed(data) == [Frame({"text": text})]


def test_a_head_at_the_limit_is_sent_and_one_beyond_it_is_not(small):
    longest = {"a": "x" * (64 - len('{"a":""}'))}
    assert FrameReader().feed(encode(longest)) == [Frame(longest)]
    with pytest.raises(ProtocolError, match="frame of 65 and 0 bytes is larger than allowed"):
        encode({"a": longest["a"] + "x"})


def test_a_body_at_the_limit_is_sent_and_one_beyond_it_is_not(small):
    assert FrameReader().feed(encode({}, b"x" * 128)) == [Frame({"body": 128}, b"x" * 128)]
    with pytest.raises(ProtocolError, match="129 bytes is larger than allowed"):
        encode({}, b"x" * 129)


def test_a_frame_cannot_promise_a_body_that_it_does_not_have():
    with pytest.raises(ProtocolError, match="promises a body"):
        encode({"body": 5})
    assert encode({"body": 0}) == b'{"body":0}\n'


def test_the_limits_are_those_of_the_protocol():
    assert (MAX_HEAD, MAX_BODY) == (1024 * 1024, 1024 * 1024)


def test_a_frame_is_given_when_it_is_complete_and_not_before():
    reader = FrameReader()
    data = encode({"n": 1}, b"body")
    assert reader.feed(data[:-1]) == []
    assert reader.feed(data[-1:]) == [Frame({"n": 1, "body": 4}, b"body")]


def test_fields_that_nobody_knows_are_kept():
    assert FrameReader().feed(b'{"new":[1,{"x":null}]}\n') == [Frame({"new": [1, {"x": None}]})]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"\r",
        b"nonsense",
        b"{",
        b"{'type': 1}",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"a":"\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n":' + b"9" * 5000 + b"}",
    ],
    ids=lambda line: repr(line[:12]),
)
def test_a_malformed_line_costs_itself_alone(line):
    reader = FrameReader()
    assert reader.feed(GOOD + line + b"\n" + GOOD) == NEXT * 2
    assert reader.refused == 1


@pytest.mark.parametrize("size", [-1, 1.5, 3.0, "3", True, False, None, [], {}, "", -(10**30)])
def test_a_size_that_is_no_size_costs_its_frame_alone(size):
    reader = FrameReader()
    line = json.dumps({"type": "put", "body": size}).encode() + b"\n"
    assert reader.feed(line + GOOD) == NEXT
    assert reader.refused == 1


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_a_body_that_is_too_large_is_passed_over_whatever_is_in_it(small, chunk):
    reader = FrameReader()
    forged = encode({"type": "forged"}) * 10
    data = b'{"body":%d}\n' % len(forged) + forged + GOOD
    assert len(forged) > 128
    frames = []
    for at in range(0, len(data), chunk):
        frames += reader.feed(data[at : at + chunk])
        assert len(reader._buffer) <= 64 + chunk
    assert frames == NEXT
    assert reader.refused == 1


@pytest.mark.parametrize("chunk", [1, 7, 63, 64, 65, 1000])
@pytest.mark.parametrize("length", [65, 66, 128, 129, 999])
def test_a_line_that_is_too_long_costs_itself_alone(small, chunk, length):
    reader = FrameReader()
    line = b'{"a":"%s"}' % (b"x" * (length - 8))
    assert len(line) == length
    data = GOOD + line + b"\n" + GOOD
    frames = []
    for at in range(0, len(data), chunk):
        frames += reader.feed(data[at : at + chunk])
    assert frames == NEXT * 2
    assert reader.refused == 1


def test_an_endless_line_takes_no_memory():
    reader = FrameReader()
    most = 0
    for _ in range(50):
        assert reader.feed(b"x" * 65536) == []
        most = max(most, len(reader._buffer))
    assert most <= MAX_HEAD
    assert len(reader._buffer) == 0
    assert reader.feed(b"\n" + GOOD) == NEXT
    assert reader.refused == 1


def test_what_was_read_is_not_kept():
    reader = FrameReader()
    for _ in range(100):
        reader.feed(encode({"n": 1}, b"x" * 1000) + GOOD + b"{")
        reader.feed(b"}\n")
    assert len(reader._buffer) == 0


class Counting(bytearray):
    """A buffer that counts how many bytes are searched for the end of a line."""

    searched = 0

    def find(self, sub, start=0):
        Counting.searched += len(self) - start
        return super().find(sub, start)


def test_a_line_that_comes_in_small_pieces_is_searched_once():
    reader = FrameReader()
    reader._buffer = Counting()
    data = encode({"text": "x" * 10_000})
    frames = [frame for at in range(len(data)) for frame in reader.feed(data[at : at + 1])]
    assert len(frames) == 1
    assert Counting.searched <= 2 * len(data)


def test_another_decoder_can_be_used():
    def loads(line):
        if line == b"bad":
            raise ValueError
        return {"line": line}

    reader = FrameReader(loads)
    assert reader.feed(b"one\nbad\ntwo\n") == [Frame({"line": b"one"}), Frame({"line": b"two"})]
    assert reader.refused == 1
