"""Turns references into tests of pytest: decides whose a file is, and has pytest asked once.

Not responsible for the form of references, nor for what pytest finds
(``nrunner.resolver.pytest_collection``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from nrunner.errors import RecipeError
from nrunner.record import replace
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.pytest_collection import Collected, CollectedTest, Collection
from nrunner.resolver.pytest_sign import has_cases, has_usual_name, is_for_pytest
from nrunner.resolver.reference import expression, is_file, is_folder, is_pattern, shown
from nrunner.runnable import Runnable

__all__ = ["Discovery"]

_PREFIX = "pytest:"


class Discovery:
    """Answers about the references of one run."""

    def __init__(self, foreseen: Sequence[str], context: Context) -> None:
        """`foreseen` is all that will be asked."""
        self._foreseen = tuple(foreseen)
        self._context = context
        self._collection = Collection(context)
        self._signs: dict[str, bool] = {}
        self._asked: tuple[str, ...] | None = None

    def resolve(self, reference: str) -> Resolution:
        """Answer with one Runnable per item that pytest collects."""
        text = reference.removeprefix(_PREFIX)
        file, colons, names = _split(text)
        if colons == ":":
            return self._by_pattern(reference, file, names)
        if not (text != reference or colons or self._is_pytests(file)):
            return self._maybe_found(reference, file)
        is_doubtful = self._is_within(file) and not has_usual_name(file)
        if self._context.static:
            return _no(reference) if is_doubtful else _static(reference, text, self._context)
        found = self._collection.of(file, () if self._collection.is_begun else self._places)
        if self._collection.has_failed and is_doubtful:
            return _no(reference, found.error)  # pytest would hardly have looked into it
        return _resolution(reference, file, names, found, self._context)

    def _by_pattern(self, reference: str, file: str, pattern: str) -> Resolution:
        """Answer for ``Class.test``, or for those tests that an expression fits."""
        is_asked = reference.startswith(_PREFIX) or self._is_pytests(file)
        if self._context.static or not is_asked:
            return _no(reference)
        names = pattern.replace(".", "::")
        exact = self.resolve(f"{_PREFIX}{file}::{names}")
        if exact.answer is Answer.SUCCESS:
            return replace(exact, reference=reference)
        try:
            fits = expression(pattern).search
        except ValueError as error:
            reason = f"{shown(file)}: {shown(pattern)} is no regular expression: {error}"
            return _no(reference, reason, Answer.CORRUPT)
        whole = self.resolve(_PREFIX + file)
        fitting = tuple(
            each
            for each in whole.runnables
            if fits(str(each.uri).partition("::")[2].replace("::", "."))
        )
        if fitting:
            return replace(whole, reference=reference, runnables=fitting)
        return replace(exact, reference=reference)

    def _is_pytests(self, file: str) -> bool:
        whose = self._context.python_tests
        if whose == "unittest" or not file.endswith(".py"):
            return False
        if file not in self._signs:
            is_sure = whose == "pytest" and has_usual_name(file)
            self._signs[file] = is_sure or is_for_pytest(file, self._context)
        return self._signs[file]

    def _maybe_found(self, reference: str, file: str) -> Resolution:
        """Answer for a file that does not look like tests: pytest may have found some in it."""
        context, is_python = self._context, file.endswith(".py")
        if context.static or (is_python and context.python_tests == "unittest"):
            return _no(reference)
        if not self._is_within(file) or not self._places:
            return _no(reference)
        if not self._collection.is_begun:
            self._collection.of(self._places[0], self._places)
        found = self._collection.known(file)
        if not found.tests or (is_python and has_cases(file, context)):
            return _no(reference)
        return _resolution(reference, file, "", found, self._context)

    def _is_within(self, file: str) -> bool:
        """Say whether a file was not named itself, but is in a folder that was."""
        plain = (each.removeprefix(_PREFIX).rstrip("/") for each in self._foreseen)
        return any(each == "." or file.startswith(each + "/") for each in plain)

    # What pytest is asked about, together.

    @property
    def _places(self) -> tuple[str, ...]:
        if self._asked is None:
            self._asked = tuple(self._find_places())
        return self._asked

    def _find_places(self) -> Iterator[str]:
        base_dir = self._context.base_dir
        for reference in self._foreseen:
            text = reference.removeprefix(_PREFIX)
            forced = text != reference or "::" in text
            path = _split(text)[0]
            if is_folder(base_dir, path):
                yield from self._in_folder(path, forced=forced)
            elif is_file(base_dir, path):
                if forced or self._is_pytests(path):
                    yield path
            elif is_pattern(path):
                yield from self._in_pattern(path, forced=forced)

    def _in_folder(self, folder: str, *, forced: bool) -> Iterator[str]:
        if forced or any(map(self._is_pytests, _modules(folder, str(self._context.base_dir)))):
            yield folder

    def _in_pattern(self, pattern: str, *, forced: bool) -> Iterator[str]:
        base_dir = self._context.base_dir
        import glob

        # as in the engine: Path.glob takes neither absolute patterns nor those with ..
        for match in sorted(glob.glob(pattern, root_dir=base_dir, recursive=True)):  # noqa: PTH207
            if is_folder(base_dir, match):
                yield from self._in_folder(match, forced=forced)
            elif forced or self._is_pytests(match):
                yield match


def _split(text: str) -> tuple[str, str, str]:
    """Split ``file.py::TestA::test_b``, or ``file.py:Class.test`` and the like."""
    before, colons, names = text.partition("::")
    if colons:
        return before, colons, names
    before, colon, name = text.rpartition(".py:")
    return (before + ".py", ":", name) if colon else (text, "", "")


def _modules(folder: str, base_dir: str) -> Iterator[str]:
    """Yield the Python files below a folder, as they would be typed."""
    for place, folders, files in os.walk(os.path.join(base_dir, folder)):  # noqa: PTH118
        folders[:] = sorted(each for each in folders if not each.startswith((".", "__pycache__")))
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        for each in sorted(files):
            if each.endswith(".py"):
                path = f"{place}/{each}"
                yield os.path.relpath(path, base_dir) if path.startswith(base_dir + "/") else path


def _no(reference: str, reason: str = "", answer: Answer = Answer.NOT_MINE) -> Resolution:
    return Resolution(reference, answer, reason=reason, resolver="pytest")


def _yes(reference: str, runnables: Sequence[Runnable], reason: str = "") -> Resolution:
    return Resolution(reference, Answer.SUCCESS, tuple(runnables), reason, "pytest")


def _static(reference: str, text: str, context: Context) -> Resolution:
    """Answer without pytest: what it may find in the file is one task."""
    reason = "" if "::" in text else "one task for all: pytest is not asked which tests there are"
    return _yes(reference, [Runnable("pytest", text, config=context.config)], reason)


def _resolution(
    reference: str, file: str, names: str, found: Collected, context: Context
) -> Resolution:
    if found.error:
        return _no(reference, f"{shown(file)}: {found.error}", Answer.CORRUPT)
    tests = [each for each in found.tests if _is_in(each.names, names)]
    if tests:
        try:
            return _yes(reference, [_runnable(file, each, found, context) for each in tests])
        except RecipeError as error:
            return _no(reference, str(error), Answer.CORRUPT)
    if found.skip:
        uri = f"{file}::{names}" if names else file
        whole = Runnable("pytest", uri, kwargs=found.kwargs, config=context.config)
        return _yes(reference, [whole])
    if not names:
        return _no(reference, _why_none(found))
    return _no(reference, f"{shown(file)}: {_missing(names, found)}", Answer.CORRUPT)


def _is_in(test: str, names: str) -> bool:
    return not names or test == names or test.startswith((names + "::", names + "["))


def _runnable(file: str, test: CollectedTest, found: Collected, context: Context) -> Runnable:
    from nrunner.resolver.python_documented import documented, located

    tags = dict.fromkeys(test.tags)
    uri = f"{file}::{test.names}"
    texts = located(test.texts)
    return documented("pytest", uri, texts, context, tags=tags, kwargs=found.kwargs)


def _why_none(found: Collected) -> str:
    if found.deselected:
        return f"pytest's options deselect all of its tests ({found.deselected})"
    return "pytest finds no tests in it"


def _missing(names: str, found: Collected) -> str:
    reason = f'there is no test "{shown(names)}"'
    if found.deselected:
        return f"{reason} that pytest's options select"
    import difflib

    close = difflib.get_close_matches(names, [each.names for each in found.tests], n=1)
    return f'{reason}; did you mean "{shown(close[0])}"?' if close else reason
