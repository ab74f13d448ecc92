"""Avocado's own tests, by file, class, method or pattern: ``file.py``, ``file.py:Class.test``.

They are run by the runner executable that comes with Avocado (``avocado-framework``), which need
not be installed where they are listed. Not responsible for which classes are such tests; that is
``nrunner.resolver.python_avocado``, imported when a reference may be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nrunner.errors import RecipeError
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.reference import is_file, shown

if TYPE_CHECKING:
    from nrunner.resolver.python_survey import Found

__all__ = ["AvocadoInstrumentedResolver"]


class AvocadoInstrumentedResolver:
    """Takes Python files with classes that are derived from ``avocado.Test``."""

    name = "avocado-instrumented"
    description = "Avocado's own tests: file.py, file.py:Class.test, file.py:PATTERN"
    priority = 60

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with one Runnable per test."""
        file, name = _split(reference.removeprefix(self.name + ":"))
        if not file.endswith(".py") or not is_file(context.base_dir, file):
            return self._answer(reference, Answer.NOT_MINE)
        try:
            return self._in_file(reference, file, name, context)
        except RecipeError as error:
            return self._answer(reference, Answer.CORRUPT, str(error))

    def _in_file(self, reference: str, file: str, name: str, context: Context) -> Resolution:
        from nrunner.resolver.python_avocado import instrumented, why_none
        from nrunner.resolver.python_discovery import runnable_of
        from nrunner.resolver.python_place import place_of_file, tree_of
        from nrunner.resolver.python_source import SourceError

        is_asked_for = reference.startswith(self.name + ":")
        place = place_of_file(file, context.base_dir)
        tree, none = tree_of(place, context), "none of its classes is an avocado.Test"
        try:
            scope = tree.read(place.module, place.path)
            tests = instrumented(tree, scope)
            none = why_none(tree, scope) or (none if is_asked_for else "")
        except (SourceError, RecursionError):
            tests, none = [], "" if not is_asked_for else "it cannot be read"
        if not tests and not is_asked_for:
            return self._answer(reference, Answer.NOT_MINE, none)
        if not tests:
            return self._answer(reference, Answer.CORRUPT, f"{shown(file)}: {none}")
        runnables = [
            runnable_of(self.name, file, each, context) for each in _meant(file, name, tests)
        ]
        return Resolution(reference, Answer.SUCCESS, tuple(runnables), "", self.name)

    def _answer(self, reference: str, answer: Answer, reason: str = "") -> Resolution:
        return Resolution(reference, answer, (), reason, self.name)


def _meant(file: str, name: str, tests: list[Found]) -> list[Found]:
    """Return the tests that a name or pattern means; raise RecipeError if there are none."""
    from nrunner.resolver.python_avocado import chosen

    if not name:
        return tests
    try:
        found = chosen(tests, name)
    except ValueError as error:
        raise RecipeError(f"{shown(file)}: {shown(name)} is no pattern: {error}") from error
    if not found:
        known = ", ".join(each.name for each in tests[:3]) + (", ..." if tests[3:] else "")
        reason = f"{shown(name)} names no test in it; there are {known}"
        raise RecipeError(f"{shown(file)}: {reason}")
    return found


def _split(text: str) -> tuple[str, str]:
    """Split ``file.py:name`` after the first ``.py`` that a colon follows."""
    before, found, name = text.partition(".py:")
    return (before + ".py", name) if found else (text, "")
