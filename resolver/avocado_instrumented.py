"""Avocado's own tests, by file, class, method or pattern: ``file.py``, ``file.py:Class.test``.

They are run by the runner executable that comes with Avocado (``avocado-framework``), which need
not be installed where they are listed. Not responsible for which classes are such tests; that is
``nrunner.resolver.python_avocado``, imported when a reference may be one.
"""

from __future__ import annotations

import re

from nrunner.errors import RecipeError
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.reference import is_file, shown
from nrunner.runnable import Runnable

__all__ = ["AvocadoInstrumentedResolver"]


class AvocadoInstrumentedResolver:
    """Takes Python files with classes that are derived from ``avocado.Test``."""

    name = "avocado-instrumented"
    description = "Avocado's own tests: file.py, file.py:Class.test, file.py:PATTERN"
    priority = 60

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with one Runnable per test."""
        explicit = reference.startswith(self.name + ":")
        file, name = _split(reference.removeprefix(self.name + ":"))
        if not file.endswith(".py") or not is_file(context.base_dir, file):
            return self._answer(reference, Answer.NOT_MINE)
        try:
            found, runnables = self._tests(file, name, context)
        except RecipeError as error:
            return self._answer(reference, Answer.CORRUPT, str(error))
        if not found and not explicit:
            return self._answer(reference, Answer.NOT_MINE)
        if not found:
            reason = f"{shown(file)}: none of its classes is an avocado.Test"
            return self._answer(reference, Answer.CORRUPT, reason)
        if not runnables:
            reason = f"{shown(file)}: {shown(name)} names no test in it; there are {found}"
            return self._answer(reference, Answer.CORRUPT, reason)
        return Resolution(reference, Answer.SUCCESS, tuple(runnables), "", self.name)

    def _tests(self, file: str, name: str, context: Context) -> tuple[str, list[Runnable]]:
        """Return some names of all tests of a file, and Runnables for those that are meant."""
        from nrunner.resolver.python_avocado import chosen, instrumented
        from nrunner.resolver.python_discovery import runnable_of
        from nrunner.resolver.python_place import place_of_file, tree_of
        from nrunner.resolver.python_source import SourceError

        place = place_of_file(file, context.base_dir)
        tree = tree_of(place, context)
        try:
            tests = instrumented(tree, tree.read(place.module, place.path))
        except (SourceError, RecursionError):
            return "", []  # who reads it next says what is wrong with it
        try:
            meant = chosen(tests, name) if name else tests
        except re.error as error:
            raise RecipeError(f"{shown(file)}: {shown(name)} is no pattern: {error}") from error
        names = [each.name for each in tests]
        known = ", ".join(names[:3]) + (", ..." if names[3:] else "")
        return known, [runnable_of(self.name, file, each, context) for each in meant]

    def _answer(self, reference: str, answer: Answer, reason: str = "") -> Resolution:
        return Resolution(reference, answer, (), reason, self.name)


def _split(text: str) -> tuple[str, str]:
    """Split ``file.py:name`` after the first ``.py`` that a colon follows."""
    before, found, name = text.partition(".py:")
    return (before + ".py", name) if found else (text, "")
