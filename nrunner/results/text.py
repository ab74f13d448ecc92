"""Text of strangers made fit to be shown: one line, nothing that a terminal would obey.

Names, reasons and outputs come from tests and may hold anything. Not responsible for formats.
"""

from __future__ import annotations

import re
from typing import IO

__all__ = [
    "case_name",
    "escaped",
    "first_line",
    "fitting",
    "is_utf8",
    "referenced",
    "shortened",
    "task_name",
    "utf8",
    "visible",
]

_NOT_ASCII_PRINTABLE = re.compile(r"[^ -~]")


def visible(text: str) -> str:
    r"""Return `text` with each character that cannot be seen as its escape (``\n``, ``\x1b``)."""
    if text.isprintable():
        return text
    return _NOT_ASCII_PRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def utf8(text: str) -> str:
    r"""Return `text` with lone surrogates, which UTF-8 cannot hold, as ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def fitting(text: str, stream: IO[str]) -> str:
    """Return `text` with what the encoding of `stream` cannot hold as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def is_utf8(stream: IO[str]) -> bool:
    """Whether text is written to `stream` as UTF-8."""
    encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
    return encoding.replace("_", "-") in ("utf-8", "utf8")


def referenced(text: str, stream: IO[str]) -> str:
    """Return markup that declares to be UTF-8 so that it is, with references where need be."""
    encoding = "utf-8" if is_utf8(stream) else "ascii"
    return text.encode(encoding, "xmlcharrefreplace").decode(encoding)


def first_line(text: str, limit: int = 200) -> str:
    """Return the first line that says something, visible, and cut where it gets too long."""
    # Only the start of a huge reason is looked at.
    head = text[: 4 * limit].strip()
    line = visible(head.split("\n", 1)[0].rstrip())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def shortened(text: str, limit: int = 400) -> str:
    """Return `text` visible, and cut in the middle where it gets too long."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}...{text[-limit // 4 :]}"
    return visible(text)


def task_name(task_id: str) -> str:
    """Return a task's id without the number that leads it."""
    number, dash, name = task_id.partition("-")
    return name if dash and number.isdecimal() else task_id


def escaped(text: str) -> str:
    """Return `text` so that HTML and XML show it, in elements and in attributes."""
    for character, reference in _REFERENCES:
        text = text.replace(character, reference)
    return text


_REFERENCES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;"))


def case_name(task_id: str, variant: str | None) -> str:
    """Return a task's id without its number and its variant."""
    name = task_name(task_id)
    return name.removesuffix(f";{variant}") if variant else name
