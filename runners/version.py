"""Versions made of numbers, and what may be demanded of one: ``>=3.9,<4``, ``~=3.11``, ``==3.*``.

Not responsible for pre-releases and the like: what follows the numbers does not count.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import re

__all__ = ["Specifier"]

_CLAUSE = re.compile(r"\s*(===?|!=|~=|<=|>=|<|>)?\s*v?(\d+(?:\.\d+)*)(\.\*)?\s*")


class Specifier:
    """What is demanded of a version: all of its clauses, which are separated by commas."""

    def __init__(self, text: str) -> None:
        """Read it; raise ValueError if it is none. A version alone means one that begins so."""
        self._clauses = [_clause(part) for part in text.split(",")]

    def admits(self, version: tuple[int, ...]) -> bool:
        """Whether a version is as it is demanded."""
        return all(_holds(version, *clause) for clause in self._clauses)


def _clause(text: str) -> tuple[str, tuple[int, ...], bool]:
    found = _CLAUSE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text.strip()!r} is no clause like >=3.9, ==3.11.* or 3.11")
    operator, numbers, is_prefix = found.groups()
    wanted = tuple(map(int, numbers.split(".")))
    if is_prefix and operator not in (None, "==", "!="):
        raise ValueError(f"{text.strip()!r}: only == and != go with .*")
    if operator == "~=" and len(wanted) < 2:
        raise ValueError(f"{text.strip()!r}: ~= needs at least two numbers")
    return operator or "==", wanted, bool(is_prefix) or operator is None


def _holds(version: tuple[int, ...], operator: str, wanted: tuple[int, ...], prefix: bool) -> bool:
    length = len(wanted) if prefix else max(len(version), len(wanted))
    left, right = _padded(version, length)[:length], _padded(wanted, length)
    if operator == "~=":
        return left >= right and left[: len(wanted) - 1] == wanted[:-1]
    return {
        "==": left == right,
        "===": left == right,
        "!=": left != right,
        "<=": left <= right,
        ">=": left >= right,
        "<": left < right,
        ">": left > right,
    }[operator]


def _padded(version: tuple[int, ...], length: int) -> tuple[int, ...]:
    return version + (0,) * (length - len(version))
