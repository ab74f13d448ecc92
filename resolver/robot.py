"""Tests of Robot Framework: ``suite.robot``, ``suite.robot:Test`` and ``suite.robot:Suite.Test``.

Each test is a Runnable; with ``--isolation=module``, or where no interpreter may be asked
(``--static``), each file is one. Not responsible for what is in the files:
``nrunner.resolver.robot_suite``, loaded when a reference may be Robot's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nrunner.errors import RecipeError
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.python_docstring import (
    directives,
    is_idempotent,
    requirements_of,
    tags_of,
)
from nrunner.resolver.reference import is_file, shown
from nrunner.runnable import IDEMPOTENT, Requirement, Runnable

if TYPE_CHECKING:
    from nrunner.resolver.robot_suite import RobotTest, Suite, Suites

__all__ = ["RobotResolver"]

_SUFFIXES = (".robot", ".robot.rst", ".robot.md", ".rbt")
_FILE = r"(?s)(?P<file>.*?\.(?:robot(?:\.rst|\.md)?|rbt))(?::(?P<name>.*))?"
_HEADING = r"(?im)^\*+[ \t]*(test cases?|tasks?)\b"


class RobotResolver:
    """Takes files of Robot Framework, and tests in them."""

    name = "robot"
    description = "Robot Framework: suite.robot, suite.robot:Suite.Test"
    priority = 55

    def __init__(self) -> None:
        self._suites: Suites | None = None

    def expect(self, _references: Sequence[str], _context: Context) -> None:
        """Forget what Robot said: in another suite it may say something else."""
        self._suites = None

    def foresee(self, references: Sequence[str], context: Context) -> None:
        """Take note of what will be asked, so that one interpreter can answer it all."""
        files = [each.removeprefix("robot:") for each in references]
        wanted = [file for file in files if file.endswith(_SUFFIXES) and not _is_init(file)]
        if wanted and not context.static:
            self._found().foresee(wanted)

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with one Runnable per test."""
        text = reference.removeprefix("robot:")
        file, name = _split(text, context, is_asked_for=text != reference)
        if not file or not is_file(context.base_dir, file):
            return self._no(reference, "")
        if _is_init(file):
            return self._no(reference, "it sets up the suites of its folder")
        if context.static:
            return self._unasked(reference, file, name, context)
        suite = self._found().of(file, context)
        if suite.is_fatal:
            return self._no(reference, f"{shown(file)}: {suite.problem}", Answer.CORRUPT)
        if not suite.tests:
            if name:
                return self._no(reference, _missing(file, name, suite), Answer.CORRUPT)
            return self._no(reference, suite.problem)
        chosen = [test for test in suite.tests if not name or test.is_meant(name)]
        if not chosen:
            return self._no(reference, _missing(file, name, suite), Answer.CORRUPT)
        whole = context.isolation == "module" and len(chosen) == len(suite.tests)
        try:
            runnables = _as_suite(file, chosen) if whole else _as_tests(file, chosen)
        except RecipeError as error:
            return self._no(reference, str(error), Answer.CORRUPT)
        return Resolution(reference, Answer.SUCCESS, runnables, resolver=self.name)

    def _found(self) -> Suites:
        if self._suites is None:
            from nrunner.resolver.robot_suite import Suites

            self._suites = Suites()
        return self._suites

    def _unasked(self, reference: str, file: str, name: str, context: Context) -> Resolution:
        """Answer without Robot: the file as a whole, if it seems to have tests."""
        try:
            text = (context.base_dir / file).read_text("utf-8", "replace")
        except OSError as error:
            return self._no(reference, f"{shown(file)}: {error.strerror}", Answer.CORRUPT)
        if not name and not re.search(_HEADING, text):
            return self._no(reference, "it has no section of tests")
        runnable = Runnable("robot", f"{file}:{name}" if name else file)
        return Resolution(reference, Answer.SUCCESS, (runnable,), resolver=self.name)

    def _no(self, reference: str, reason: str, answer: Answer = Answer.NOT_MINE) -> Resolution:
        return Resolution(reference, answer, reason=reason, resolver=self.name)


def _split(text: str, context: Context, *, is_asked_for: bool) -> tuple[str, str]:
    """Split ``file:name``; a file with another suffix is Robot's only where that is said."""
    found = re.fullmatch(_FILE, text)
    if found:
        return found["file"], found["name"] or ""
    if not is_asked_for:
        return "", ""
    if is_file(context.base_dir, text):
        return text, ""
    file, _, name = text.partition(":")
    return file, name


def _is_init(file: str) -> bool:
    return file.rpartition("/")[2].startswith("__init__.")


def _missing(file: str, name: str, suite: Suite) -> str:
    if suite.problem:
        return f"{shown(file)}: {suite.problem}"
    import difflib

    reason = f"{shown(file)}: there is no test {shown(name)} in it"
    near = difflib.get_close_matches(name, [test.name for test in suite.tests], 1, 0.5)
    return f"{reason}; did you mean {shown(file)}:{near[0]}?" if near else reason


def _as_tests(file: str, tests: Sequence[RobotTest]) -> tuple[Runnable, ...]:
    return tuple(_runnable(f"{file}:{test.full_name}", file, [test]) for test in tests)


def _as_suite(file: str, tests: Sequence[RobotTest]) -> tuple[Runnable, ...]:
    return (_runnable(file, file, tests),)


def _runnable(uri: str, file: str, tests: Sequence[RobotTest]) -> Runnable:
    """Return what runs some tests; it has all of their tags, and requires what any of them does."""
    tags: dict[str, frozenset[str] | None] = {}
    requirements: dict[str, Requirement] = {}
    harmless = True
    for test in tests:
        said = list(directives(test.doc))
        try:
            found = tags_of(said)
            requirements.update((each.key, each) for each in requirements_of(said))
        except RecipeError as error:
            raise RecipeError(f"{shown(file)}:{test.line}: {error}") from error
        harmless = harmless and is_idempotent(said)
        for key, values in [*_tags(test.tags), *found.items()]:
            known = tags.get(key)
            tags[key] = (known or frozenset()) | values if values else known
    return Runnable(
        "robot",
        uri,
        tags=tags,
        requirements=tuple(requirements.values()),
        config={IDEMPOTENT: True} if harmless else {},
    )


def _tags(tags: Sequence[str]) -> list[tuple[str, frozenset[str] | None]]:
    """Return Robot's tags as nrunner's: what stands behind a colon is a value."""
    found: list[tuple[str, frozenset[str] | None]] = []
    for tag in tags:
        key, colon, value = tag.partition(":")
        found.append((key, frozenset({value})) if colon and key and value else (tag, None))
    return found
