"""What a device's console said before the device was lost, for people (pure).

Not responsible for reading a console (``nrunner.labhook``).
"""

from __future__ import annotations

import re

__all__ = ["last_words"]

_TROUBLE = re.compile(r"kernel panic|\boops\b|\bBUG:|unable to handle|watchdog:|panicking", re.I)
"""What kernels say when they are about to end."""
_LINES = 5
_LONGEST = 500


def last_words(tail: str) -> str:
    """Return what counts of the end of a console's output: from the first trouble on, or the end.

    One line, nothing that a terminal would obey; empty if it said nothing.
    """
    lines = [line for each in tail.splitlines() if (line := _clean(each))]
    first = next((at for at, line in enumerate(lines) if _TROUBLE.search(line)), None)
    counts = lines[-_LINES:] if first is None else lines[first : first + _LINES]
    return " | ".join(counts)[:_LONGEST]


def _clean(line: str) -> str:
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).strip()
    return "".join(each if each.isprintable() else "?" for each in text)
