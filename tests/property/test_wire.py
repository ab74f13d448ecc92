"""Any frames, cut anywhere, with any rubbish between them."""

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrunner.runners.wire import Frame, FrameReader, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
HEADS = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "body"), VALUES, max_size=4)
FRAMES = st.builds(Frame, HEADS, st.binary(max_size=40))
RUBBISH = st.sampled_from(
    [b"", b"{", b"[]", b"nonsense", b'{"body":-1}', b'{"body":true}', b"\xff"]
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at places, in any order; a place may be named twice."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def whole(frame: Frame) -> Frame:
    """Return a frame as it is read: with the size of its body."""
    return Frame({**frame.head, "body": len(frame.body)}, frame.body) if frame.body else frame


@pytest.mark.parametrize("loads", [json.loads, msgspec.json.decode])
@given(st.lists(st.one_of(FRAMES, RUBBISH), max_size=8), st.lists(st.integers(0), max_size=12))
def test_what_was_sent_arrives_however_it_is_cut(loads, sent, places):
    data = b"".join(
        encode(each.head, each.body) if isinstance(each, Frame) else each + b"\n" for each in sent
    )
    reader = FrameReader(loads)
    received = [frame for piece in cut(data, places) for frame in reader.feed(piece)]
    assert received == [whole(each) for each in sent if isinstance(each, Frame)]
    assert reader.refused == sum(isinstance(each, bytes) for each in sent)
    assert len(reader._buffer) == 0


BITS = st.sampled_from([b"\n", b"{}\n", b'{"body":3}\n', b'{"body":16777217}\n', b'{"a":', b"1}\n"])


@given(st.lists(st.one_of(BITS, st.binary(max_size=10)), max_size=20))
def test_any_bytes_are_read_the_same_in_one_piece_and_in_many(pieces):
    at_once, in_pieces = FrameReader(), FrameReader()
    frames = [frame for piece in pieces for frame in in_pieces.feed(piece)]
    assert at_once.feed(b"".join(pieces)) == frames
    assert at_once.refused == in_pieces.refused


STRANGE = [b"x", b"{}\n", b'{"a": 1}\n', b'{"body": 3}\nabc', b"y" * 70, b"\n"]


@given(st.lists(st.sampled_from(STRANGE)))
def test_what_comes_before_the_first_frame_is_bounded_more_narrowly(pieces):
    reader = FrameReader(first=64)
    for piece in pieces:
        if reader.feed(piece):
            break
        assert len(reader._buffer) <= 64 + len(piece)
        assert reader._head is None
    else:
        return
    body = b"z" * 100
    assert reader.feed(b"\n" + encode({"long": "l" * 100}, body))[-1].body == body
