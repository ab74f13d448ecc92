"""What is asked of a device under test over SSH, apart from its agent: one word for each.

``start N`` (`nrunner.runners.detached`), ``relay FOLDER`` (`nrunner.runners.relay`), ``look``,
``watch`` and ``remove FOLDER`` (`nrunner.runners.departure`), ``lease WORK`` and ``release WORK``
(`nrunner.runners.lease`). Each answers with one line of JSON behind a mark, since a login may
print anything before. Not responsible for what is behind the words.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MARK", "USAGE", "main", "say"]

MARK = b"nrunner-dut:"
"""What a line begins with that is for the controller."""
USAGE = "dut start N | dut relay|look|watch|remove FOLDER | dut lease|release WORK"
_MOST_ASKED = 1 << 20


def main(words: Sequence[str]) -> int:
    """Do what a word says; return the exit status, or -1 for words that nobody knows."""
    if len(words) != 2:
        return -1
    word, argument = words
    if word == "relay":
        from nrunner.runners.relay import relay

        return relay(argument)
    try:
        reply, body = _answer(word, argument)
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = getattr(error, "strerror", None) or repr(error)
        named = getattr(error, "filename", None)
        reply, body = {"error": f"{named}: {reason}" if named else reason}, b""
    if reply is None:
        return -1
    say(reply, body)
    return 0


def _answer(word: str, argument: str) -> tuple[Any, bytes]:
    if word == "start":
        from nrunner.runners.detached import start

        return start(json.loads(_read(int(argument)))), b""
    if word in ("look", "remove", "watch"):
        from nrunner.runners.departure import look, remove, watch

        return {"look": look, "remove": remove, "watch": watch}[word](argument)
    if word in ("lease", "release"):
        from nrunner.runners.lease import look_at, release

        return (look_at if word == "lease" else release)(argument + "/lease"), b""
    return None, b""


def say(reply: dict[str, Any], body: bytes = b"") -> None:
    """Write an answer; the body follows its line."""
    if body:
        reply = {**reply, "body": len(body)}
    data = MARK + json.dumps(reply).encode() + b"\n" + body
    while data:
        data = data[os.write(1, data) :]


def _read(length: int) -> bytes:
    """Return what was announced; no end of file follows it."""
    if not 0 <= length <= _MOST_ASKED:
        raise ValueError(f"{length} bytes are too many")
    data = b""
    while len(data) < length:
        piece = os.read(0, length - len(data))
        if not piece:
            raise ValueError("it was cut off")
        data += piece
    return data
