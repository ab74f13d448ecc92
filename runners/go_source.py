"""Which functions of a Go file look like tests.

Only go knows which of them are (``go test -list``). Not responsible for reading files.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import re

__all__ = ["names_in"]

_FUNCTION = re.compile(r"^func\s+((?:Test|Fuzz|Example)(?![a-z])\w*)\s*\(", re.MULTILINE)


def names_in(text: str) -> list[str]:
    """Return the names of functions that may be tests, fuzz tests or examples, in their order."""
    return [name for name in _FUNCTION.findall(text) if name != "TestMain"]
