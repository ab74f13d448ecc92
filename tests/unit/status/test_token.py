from __future__ import annotations

import pytest

from nrunner.status.token import make_token, matches, token_line, token_of_line


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {make_token() for _ in range(100)}

    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43


def test_only_the_token_matches() -> None:
    assert matches("secret", "secret")
    for shown in ("", "secre", "secret ", "Secret", "s\ud800", "é"):
        assert not matches("secret", shown)


def test_a_line_made_for_a_token_shows_that_token() -> None:
    line = token_line('a"b\né')

    assert line.count(b"\n") == 1
    assert token_of_line(line) == 'a"b\né'


@pytest.mark.parametrize(
    "line",
    [b"", b"x", b"[]", b"{}", b'{"token": 5}', b'{"token": null}', b"\xff", b"[" * 100_000],
)
def test_any_other_line_shows_none(line: bytes) -> None:
    assert token_of_line(line) == ""
