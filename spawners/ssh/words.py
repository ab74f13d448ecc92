"""What is executed on a device: command lines for its shell, and the answers of our agent's file.

Pure. Not responsible for having them executed, nor for what they do there (`nrunner.runners.dut`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from shlex import quote
from typing import Any

from nrunner.record import dataclass

__all__ = ["Answer", "copy_command", "dut_command", "read_answer", "shown"]

# As nrunner.runners.dut says it, which is for the other side.
_MARK = b"nrunner-dut:"
_BEGINNING = (
    "import gc, sys; gc.disable(); sys.path.insert(0, sys.argv.pop(1)); "
    "from nrunner.runners.entry import main; sys.exit(main())"
)
_COPY = (
    "umask 077",
    'cd "$w/agents" || exit 1',
    "find . -name '.new-*' -mmin +60 -exec rm -f {} + 2>/dev/null",
    't=".new-$n"',
    # What was cut off, or does not fit onto the disk, has another sum: it is never used.
    'head -c "$l" >"$t"',
    's=$(sha256sum <"$t")',
    'if [ "${s%% *}" = "$h" ] && mv -f "$t" "$a"; then exit 0; fi',
    'rm -f "$t"',
    "exit 1",
)
_MOST_NOISE = 1 << 20
_MOST_BODY = 64 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a word was answered: fields, and bytes after them."""

    fields: Mapping[str, Any]
    body: bytes = b""


def dut_command(python: str, archive: str, word: str, argument: str) -> str:
    """Return the command that has the agent's file do what a word says."""
    words = (python, "-I", "-S", "-c", _BEGINNING, archive, "dut", word, argument)
    return "exec " + " ".join(map(quote, words))


def copy_command(work: str, name: str, length: int, digest: str, nonce: str) -> str:
    """Return the command that takes so many bytes and keeps them under a name, if all came."""
    given = {"w": work, "a": name, "l": str(length), "h": digest, "n": nonce}
    names = "; ".join(f"{key}={quote(value)}" for key, value in given.items())
    return f"exec sh -c {quote('; '.join((names, *_COPY)))}"


def read_answer(data: bytes) -> tuple[Answer, bytes] | None:
    """Return an answer and what follows it, None while there is no end of it.

    What a login prints before is passed over. Raise ValueError for what is no answer.
    """
    at = 0 if data.startswith(_MARK) else data.find(b"\n" + _MARK) + 1
    if at == 0 and not data.startswith(_MARK):
        if len(data) > _MOST_NOISE:
            raise ValueError(f"it prints {data[:40]!r} and more instead of an answer")
        return None
    line, newline, rest = data[at + len(_MARK) :].partition(b"\n")
    if not newline:
        if len(line) > _MOST_NOISE:
            raise ValueError(f"its answer has no end: {line[:80]!r}")
        return None
    # Command lines and logs of others may be in there, which a device of sh hands on as they are.
    fields = json.loads(line.decode("utf-8", "replace"))
    length = fields.pop("body", 0) if isinstance(fields, dict) else None
    if type(length) is not int or not 0 <= length <= _MOST_BODY:
        raise ValueError(f"its answer makes no sense: {line[:80]!r}")
    if len(rest) < length:
        return None
    return Answer(fields, rest[:length]), rest[length:]


def shown(text: object, most: int = 300) -> str:
    """Return what a device says so that it can be shown: on one line, of bearable length."""
    line = "".join(each if each.isprintable() else "?" for each in str(text)[: most + 1])
    return line if len(line) <= most else f"{line[:most]}..."
