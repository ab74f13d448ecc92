"""Tests of Python's unittest, by file, class, method or dotted name.

``file.py``, ``file.py:Class``, ``file.py:Class.test``, ``package.module`` and
``package.module.Class.test``; what is no name in the file may be a regular expression that is
searched for in ``Class.test``, as Avocado has it. Not responsible for finding out which tests
there are; that is ``nrunner.resolver.python_discovery``, imported when a reference may be Python.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nrunner.record import replace
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.reference import expression, is_file, shown

if TYPE_CHECKING:
    from nrunner.resolver.python_discovery import Discovery

__all__ = ["PythonUnittestResolver"]

_NAME = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_OTHER_FILES = r"\.(json|py|pyc|rb|sh|t|toml|txt|xml|ya?ml)$"
"""Names that look dotted, but are those of files."""


class PythonUnittestResolver:
    """Takes Python files with test cases, and dotted names of modules that have some."""

    name = "python-unittest"
    description = "unittest test cases: file.py, file.py:Class.test, file.py:REGEX, package.module"
    priority = 50

    def __init__(self) -> None:
        self._discovery: Discovery | None = None

    def expect(self, _references: Sequence[str], _context: Context) -> None:
        """Forget where modules are: in another suite they may be elsewhere."""
        self._discovery = None

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with one Runnable per test; tests without a name of their own share one."""
        text = reference.removeprefix("python-unittest:")
        file, colon, name = _split(text)
        if file.endswith(".py") and is_file(context.base_dir, file):
            if colon:
                return self._named(reference, file, name, context)
            if file.rpartition("/")[2] == "__main__.py":
                return self._no(reference, Answer.NOT_MINE, "__main__.py is a program, no module")
            if file.rpartition("/")[2] == "conftest.py":
                return self._no(reference, Answer.NOT_MINE, "conftest.py is there for pytest")
            return self._discover().in_file(reference, file, "", context)
        if not re.fullmatch(_NAME, text) or re.search(_OTHER_FILES, text):
            return self._no(reference, Answer.NOT_MINE)
        if is_file(context.base_dir, text):
            return self._no(reference, Answer.NOT_MINE)
        return self._discover().by_name(reference, text, context)

    def _named(self, reference: str, file: str, name: str, context: Context) -> Resolution:
        """Answer for a class or test of a file, or for those tests that an expression fits."""
        if re.fullmatch(_NAME, name):
            found = self._discover().in_file(reference, file, name, context)
        else:
            found = self._no(reference, Answer.CORRUPT, _hint(file, name))
        if found.answer is not Answer.CORRUPT or not name:
            return found
        try:
            pattern = expression(name)
        except ValueError as error:
            reason = f"{shown(file)}: {shown(name)} is no regular expression: {error}"
            return self._no(reference, Answer.CORRUPT, reason)
        whole = self._discover().in_file(reference, file, "", context)
        fitting = tuple(
            each
            for each in whole.runnables
            if pattern.search((each.uri or "").rpartition(".py:")[2])
        )
        return replace(whole, runnables=fitting) if fitting else found

    def _discover(self) -> Discovery:
        if self._discovery is None:
            from nrunner.resolver.python_discovery import Discovery

            self._discovery = Discovery()
        return self._discovery

    def _no(self, reference: str, answer: Answer, reason: str = "") -> Resolution:
        return Resolution(reference, answer, reason=reason, resolver=self.name)


def _split(text: str) -> tuple[str, str, str]:
    """Split ``file.py:Class.test`` after the last ``.py`` that a colon follows."""
    if text.endswith(".py"):
        return text, "", ""
    before, found, name = text.rpartition(".py:")
    return (before + ".py", ":", name) if found else (text, "", "")


def _hint(file: str, name: str) -> str:
    reason = f"{shown(file)}: {shown(name) or 'nothing'} names no test in it"
    parts = [part for part in name.split(":") if part]
    if parts and all(re.fullmatch(_NAME, part) for part in parts):
        return f"{reason}; did you mean {shown(file)}:{'.'.join(parts)}?"
    return f"{reason}; write {shown(file)}:Class.test"
