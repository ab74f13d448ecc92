"""Reading the parameters of a request to the control API.

Pure; raises UsageError that says what would be right. Not responsible for HTTP.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Collection, Mapping
from typing import TypeVar

from nrunner.errors import UsageError
from nrunner.phase import Phase
from nrunner.record import dataclass
from nrunner.result import Result
from nrunner.status.view import TaskView

__all__ = ["TaskQuery", "check_names", "truth", "whole_number"]

_Word = TypeVar("_Word", bound=enum.Enum)
_DIGITS = 18


def whole_number(text: str) -> int | None:
    """Return the number that `text` writes in plain digits, or None."""
    plain = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if plain else None


def check_names(given: Collection[str], known: Collection[str]) -> None:
    """Raise UsageError if a parameter has a name that is not known."""
    for name in given:
        if name not in known:
            raise UsageError(f"unknown parameter {name[:60]!r}{_nearest(name, known)}")


def truth(parameters: Mapping[str, str], name: str) -> bool:
    """Return whether a parameter says ``true``; raise UsageError if it says neither."""
    text = parameters.get(name, "false")
    if text not in ("true", "false"):
        raise UsageError(f"parameter {name!r}: expected true or false")
    return text == "true"


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks are asked for."""

    start: int = 1
    limit: int = 100
    phases: frozenset[Phase] = frozenset()
    results: frozenset[Result] = frozenset()

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> TaskQuery:
        """Read the parameters ``start``, ``limit``, ``phase`` and ``result``."""
        check_names(parameters, ("start", "limit", "phase", "result"))
        return cls(
            _number(parameters, "start", 1, 10**9),
            _number(parameters, "limit", 100, 1000),
            _words(parameters, "phase", Phase),
            _words(parameters, "result", Result),
        )

    @property
    def filters(self) -> bool:
        """Whether some tasks may not fit."""
        return bool(self.phases or self.results)

    def fits(self, task: TaskView) -> bool:
        """Whether a task is one of those asked for."""
        if self.phases and task.phase not in self.phases:
            return False
        if not self.results:
            return True
        return task.report is not None and task.report.result in self.results


def _number(parameters: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    value = whole_number(text)
    if value is None or not 1 <= value <= most:
        raise UsageError(f"parameter {name!r}: expected a number from 1 to {most}")
    return value


def _words(parameters: Mapping[str, str], name: str, sort: type[_Word]) -> frozenset[_Word]:
    text = parameters.get(name, "")
    known = {str(each.value): each for each in sort}
    found = set()
    for word in filter(None, text.upper().split(",")):
        if word not in known:
            raise UsageError(f"parameter {name!r}: unknown {word[:60]!r}{_nearest(word, known)}")
        found.add(known[word])
    return frozenset(found)


def _nearest(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word[:60], list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
