"""Tests of pytest, by file, folder or pytest's own addresses.

``file.py``, ``file.py::TestA::test_b[1]``; also ``file.py:TestA.test_b`` and ``file.py:REGEX``, as
tests of unittest are named. Not responsible for finding out which tests there are;
that is ``nrunner.resolver.pytest_discovery``, imported when a reference may be pytest's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.reference import is_file, is_folder, is_pattern

if TYPE_CHECKING:
    from nrunner.resolver.pytest_discovery import Discovery

__all__ = ["PytestResolver"]

_PREFIX = "pytest:"


class PytestResolver:
    """Takes Python files that are pytest's, and whatever else pytest finds in their folders."""

    name = "pytest"
    description = "tests of pytest: file.py, file.py::TestA::test_b[1], file.py:REGEX"
    priority = 55

    def __init__(self) -> None:
        self._foreseen: tuple[str, ...] = ()
        self._discovery: Discovery | None = None
        self._has_folders = False

    def expect(self, references: Sequence[str], context: Context) -> None:
        """Hear of all that will be asked, so that pytest need be asked only once."""
        self._foreseen, self._discovery = tuple(references), None
        plain = [each.removeprefix(_PREFIX) for each in references]
        self._has_folders = any(
            is_folder(context.base_dir, each) or is_pattern(each) for each in plain
        )

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with one Runnable per item that pytest collects."""
        text = reference.removeprefix(_PREFIX)
        file = _file_of(text)
        is_named = text != reference or "::" in text or file.endswith(".py")
        if not (is_named or self._has_folders) or not is_file(context.base_dir, file):
            return Resolution(reference, Answer.NOT_MINE, resolver=self.name)
        if self._discovery is None:
            from nrunner.resolver.pytest_discovery import Discovery

            self._discovery = Discovery(self._foreseen or (reference,), context)
        return self._discovery.resolve(reference)


def _file_of(text: str) -> str:
    before, colons, _ = text.partition("::")
    if colons:
        return before
    before, colon, _ = text.rpartition(".py:")
    return before + ".py" if colon else text
