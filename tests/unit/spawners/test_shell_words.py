"""Words for the agent of sh."""

from __future__ import annotations

import pytest

from nrunner.errors import RunnerError
from nrunner.spawners.shell_words import MAX_WRITE, cut, line, quote


def test_plain_words_stay_as_they_are():
    assert line("run", 1, "/bin/true", None, "a=b c") == b"run 1 /bin/true '' 'a=b c'"


@pytest.mark.parametrize(
    "text", ["", "'", "$x", "a\nb", "~", "*", "\\", "äö", "\udcff\udc80", "a\n"]
)
def test_no_word_breaks_a_line(text):
    said = line("x", text, "y")
    assert b"\n" not in said
    assert said.startswith(b"x '")
    assert said.endswith(b"' y")


def test_a_nul_is_refused():
    with pytest.raises(RunnerError, match="NUL"):
        quote("a\0b")


@pytest.mark.parametrize("length", [0, 1, 4089, 4090, 4091, 4092, 8000, 8174, 100000])
def test_each_piece_is_written_at_once_and_together_they_are_the_line(length):
    said = bytes(97 + number % 26 for number in range(length))
    pieces = list(cut("abc", said))
    assert all(len(piece) <= MAX_WRITE and piece.count(b"\n") == 1 for piece in pieces)
    assert all(piece.startswith(b"abc ") for piece in pieces)
    if len(pieces) == 1:
        assert pieces == [b"abc " + said + b"\n"]
        return
    signs = [piece[4:6] for piece in pieces]
    assert signs == [b"+ "] * (len(pieces) - 1) + [b"- "]
    assert b"".join(piece[6:-1] for piece in pieces) == said


def test_a_line_that_fits_is_not_cut():
    room = MAX_WRITE - len(b"abc \n")
    assert len(list(cut("abc", b"x" * room))) == 1
    assert len(list(cut("abc", b"x" * (room + 1)))) == 2
