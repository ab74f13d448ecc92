"""How agents on devices are spoken to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nrunner.spawners.shell_words import MAX_WRITE
from nrunner.spawners.ssh.agent import _Peer


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += data


@pytest.mark.parametrize("length", [0, 4085, 4086, 4096, 10_000])
def test_what_is_said_is_written_at_once_by_the_relay_that_puts_its_number_in_front(length):
    nobody: Any = None
    peer, wire = _Peer(nobody), Wire()
    peer.connection_made(wire)
    said = b"x" * length
    peer.send(said)
    lines = [b"4194303 " + piece + b"\n" for piece in wire.written.split(b"\n")[:-1]]
    assert all(len(each) <= MAX_WRITE for each in lines)
    assert wire.written.replace(b"\n", b"").translate(None, b"+- ") == said
