"""Words for the agent of sh: quoted, so that any text arrives as it is, on lines of bounded length.

A line is what ``runners/agent.sh`` reads at its door. Lines of several peers meet in that pipe, so
each is written at once, which the kernel does for 4096 bytes at most: a longer one is cut. Not
responsible for what the words mean (docs/agent.md), nor for writing them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nrunner.errors import RunnerError

__all__ = ["MAX_WRITE", "cut", "line", "quote"]

MAX_WRITE = 4096
"""Bytes that are written to a pipe as a whole (PIPE_BUF)."""

_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+-]+\Z")


def quote(text: str) -> str:
    """Return a word of sh that stands for `text`, on one line; raise RunnerError for a NUL."""
    if _PLAIN.match(text):
        return text
    if "\0" in text:
        raise RunnerError("text for a shell cannot hold a NUL byte")
    # The agent has a newline in a variable.
    return "'" + text.replace("'", "'\\''").replace("\n", "'\"$nl\"'") + "'"


def line(*words: str | float | None) -> bytes:
    """Return a line that says these words, None as an empty one."""
    texts = (quote("" if each is None else str(each)) for each in words)
    return " ".join(texts).encode("utf-8", "surrogateescape")


def cut(peer: str, said: bytes) -> Iterator[bytes]:
    """Yield what is to be written for a line of `peer`, each piece at once."""
    head = peer.encode() + b" "
    room = MAX_WRITE - len(head) - 1
    if len(said) <= room:
        yield head + said + b"\n"
        return
    room -= 2
    last = (len(said) - 1) // room
    for number in range(last + 1):
        sign = b"- " if number == last else b"+ "
        yield head + sign + said[number * room : (number + 1) * room] + b"\n"
