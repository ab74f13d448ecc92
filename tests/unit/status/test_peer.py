from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from nrunner.runners.line import Budget, Lines
from nrunner.status.peer import Peer
from nrunner.status.token import token_line


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        yield connection


def a_peer(connection: socket.socket, token: str | None) -> Peer:
    return Peer(connection, Lines(Budget(0), lambda _: None), token)


def test_a_peer_that_needs_no_token_sends_lines_at_once(connection: socket.socket) -> None:
    peer = a_peer(connection, None)

    assert peer.admitted
    assert peer.feed(b"one\ntwo") == [b"one"]
    assert peer.finish() == [b"two"]


def test_a_token_may_come_in_pieces_and_lines_right_behind_it(connection: socket.socket) -> None:
    peer = a_peer(connection, "secret")
    line = token_line("secret")

    assert peer.feed(line[:7]) == []
    assert not peer.admitted
    assert peer.feed(line[7:] + b"one\ntw") == [b"one"]
    assert peer.admitted
    assert peer.feed(b"o\n") == [b"two"]


@pytest.mark.parametrize(
    "shown", [b"\n", token_line("wrong"), b"hello\n" + token_line("secret"), b"x" * 5_000]
)
def test_a_wrong_token_is_told(connection: socket.socket, shown: bytes) -> None:
    peer = a_peer(connection, "secret")

    assert peer.feed(shown) is None
    assert not peer.admitted


def test_a_peer_that_has_shown_no_token_has_no_last_line(connection: socket.socket) -> None:
    peer = a_peer(connection, "secret")
    peer.feed(b'{"status": "finished"')

    assert peer.finish() == []
