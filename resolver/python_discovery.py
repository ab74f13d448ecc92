"""Turns a module of tests into Runnables: by reading it, or by asking unittest's loader.

Reading is enough for most files. Where it leaves a doubt the loader is asked, unless that is
forbidden; then the answer says what may be missing. Not responsible for the form of references.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nrunner.errors import RecipeError
from nrunner.record import dataclass, field, replace
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.python_docstring import directives
from nrunner.resolver.python_documented import documented, located
from nrunner.resolver.python_loader import (
    Loaded,
    LoadedTest,
    LoaderError,
    is_own_python,
    load,
    search_path,
)
from nrunner.resolver.python_place import Place, find_name, place_of_file, tree_of
from nrunner.resolver.python_source import SourceError
from nrunner.resolver.python_survey import Found, Reading, select, survey
from nrunner.resolver.python_value import Doubt
from nrunner.resolver.reference import shown
from nrunner.runnable import Runnable

__all__ = ["Discovery", "runnable_of"]

_KIND = "python-unittest"
_AVOCADO = "avocado-instrumented"
"""Tests that are unittest's by their class, but need Avocado around them."""


@dataclass(slots=True)
class Discovery:
    """Finds tests; remembers where an interpreter looks for modules."""

    paths: dict[str, list[Path]] = field(default_factory=dict)

    def in_file(self, reference: str, text: str, name: str, context: Context) -> Resolution:
        """Answer for a file, or for ``Class`` or ``Class.test`` in it."""
        return self._in_place(reference, place_of_file(text, context.base_dir), name, context)

    def by_name(self, reference: str, dotted: str, context: Context) -> Resolution:
        """Answer for a dotted name: a module, perhaps followed by a class and a test in it."""
        found = find_name(dotted, [context.base_dir])
        if found is not None:
            text = os.path.relpath(found[0].path, context.base_dir)
            return self.in_file(reference, text, found[1], context)
        if "." not in dotted:
            return _answer(reference, Answer.NOT_MINE)
        try:
            found = find_name(dotted, self._search_path(context))
        except LoaderError as error:
            return _answer(reference, Answer.NOT_MINE, f"no module was looked for: {error}")
        if found is None:
            return _answer(reference, Answer.NOT_MINE, "no module has this name, either")
        return self._in_place(reference, found[0], found[1], context)

    def _search_path(self, context: Context) -> list[Path]:
        if context.static and not is_own_python(context):
            return []
        if context.python not in self.paths:
            folders = [Path(each) for each in search_path(context)]
            self.paths[context.python] = [each for each in folders if each.is_absolute()]
        return self.paths[context.python]

    def _in_place(self, reference: str, place: Place, name: str, context: Context) -> Resolution:
        tree = tree_of(place, context)
        try:
            scope = tree.read(place.module, place.path)
            reading = select(tree, scope, name) if name else survey(tree, scope)
        except SourceError as error:
            return self._unreadable(reference, place, name, context, error)
        except RecursionError:
            reading = Reading(doubts=(Doubt(1, "its classes are too entangled to be read"),))
        try:
            if context.static:
                return _static(reference, place, name, reading, context)
            if reading.doubts or reading.has_load_tests:
                return _asked(reference, place, name, context)
            return _read(reference, place, name, reading, context)
        except RecipeError as error:
            return _answer(reference, Answer.CORRUPT, str(error))

    def _unreadable(
        self, reference: str, place: Place, name: str, context: Context, error: SourceError
    ) -> Resolution:
        """Answer for a file that cannot be parsed: our Python may not be that of the tests."""
        reason = f"{shown(place.text)}{error}"
        looks = "unittest" in error.text or "test" in place.path.name.lower()
        if not name and not looks and error.text:
            return _answer(reference, Answer.NOT_MINE, reason)
        if context.static or is_own_python(context) or not isinstance(error.__cause__, SyntaxError):
            return _answer(reference, Answer.CORRUPT, reason)
        try:
            return _asked(reference, place, name, context)
        except RecipeError as problem:
            return _answer(reference, Answer.CORRUPT, str(problem))


def _answer(
    reference: str, answer: Answer, reason: str = "", runnables: Iterable[Runnable] = ()
) -> Resolution:
    return Resolution(reference, answer, tuple(runnables), reason, _KIND)


def _read(
    reference: str, place: Place, name: str, reading: Reading, context: Context
) -> Resolution:
    if not reading.tests:
        answer = Answer.CORRUPT if name else Answer.NOT_MINE
        reason = f"{shown(place.text)}: {reading.reason}" if name else reading.reason
        return _answer(reference, answer, reason)
    runnables = [runnable_of(_KIND, place.text, each, context) for each in reading.tests]
    return _answer(reference, Answer.SUCCESS, "", runnables)


def _static(
    reference: str, place: Place, name: str, reading: Reading, context: Context
) -> Resolution:
    """Answer without the loader; what has to be loaded to be known runs as one task."""
    if reading.has_load_tests or (reading.doubts and not reading.tests):
        what = "it has load_tests" if reading.has_load_tests else _missing(place, reading)
        return _answer(
            reference,
            Answer.SUCCESS,
            f"one task for all: {what}",
            [_whole(place, name, (), context)],
        )
    resolution = _read(reference, place, name, reading, context)
    if not reading.doubts:
        return resolution
    reason = f"tests may be missing: {_missing(place, reading)}"
    return _answer(reference, resolution.answer, reason, resolution.runnables)


def _missing(place: Place, reading: Reading) -> str:
    told = [f"{shown(place.text)}:{doubt.line}: {doubt.text}" for doubt in reading.doubts[:3]]
    more = len(reading.doubts) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _asked(reference: str, place: Place, name: str, context: Context) -> Resolution:
    file = None if place.is_dotted else place.path
    top = place.top if place.top != context.base_dir and not place.alone else None
    try:
        loaded = load(context, place.module, file=file, top=top, alone=place.alone, names=name)
    except LoaderError as error:
        return _answer(
            reference, Answer.CORRUPT, f"{shown(place.text)}: could not load it: {error}"
        )
    if loaded.skip is not None:
        return _answer(reference, Answer.SUCCESS, "", [_whole(place, name, (), context)])
    if not loaded.tests:
        return _answer(reference, Answer.NOT_MINE, "unittest's loader finds no tests in it")
    enabled = tuple(each for each in loaded.tests if not _is_disabled(each))
    if not enabled:
        return _answer(reference, Answer.NOT_MINE, "its tests of Avocado are disabled")
    loaded = replace(loaded, tests=enabled)
    return _answer(reference, Answer.SUCCESS, "", _runnables(place, name, loaded, context))


def _is_disabled(test: LoadedTest) -> bool:
    """Say whether Avocado would leave a test of its own alone."""
    said = (each for text, _ in test.texts if test.avocado for each in directives(text))
    return any(each.marker == "avocado" and each.name == "disable" for each in said)


def _runnables(place: Place, name: str, loaded: Loaded, context: Context) -> list[Runnable]:
    """Return a Runnable per test with an address of its own, and one for all others together."""
    count = Counter((test.module, test.name) for test in loaded.tests)
    own = [test for test in loaded.tests if test.name and count[test.module, test.name] == 1]
    rest = len(loaded.tests) - len(own)
    if rest and name:
        return [_whole(place, name, (), context)]
    runnables = [
        runnable_of(
            _AVOCADO if test.avocado else _KIND,
            _home(test, place, context),
            Found(test.name, tuple(located(test.texts))),
            context,
        )
        for test in own
        if test.name
    ]
    if rest:
        runnables.append(_whole(place, name, [test.id for test in own], context))
    return runnables


def _home(test: LoadedTest, place: Place, context: Context) -> str:
    """Return what uris call the module of a test that the loader found."""
    if test.module is None:
        return place.text
    if place.is_dotted:
        return test.module
    path = Path(test.file)
    if path.is_relative_to(place.path.parent):
        # just as it would be named if the folder were walked
        inside = path.relative_to(place.path.parent)
        return os.path.join(os.path.dirname(place.text), inside)  # noqa: PTH118, PTH120
    if path.is_relative_to(context.base_dir):
        return str(path.relative_to(context.base_dir))
    return str(path)


def _whole(place: Place, name: str, exclude: Iterable[str], context: Context) -> Runnable:
    kwargs: dict[str, object] = {}
    if place.is_dotted:
        kwargs["module"] = place.module
    excluded = list(exclude)
    if excluded:
        kwargs["exclude"] = excluded
    uri = f"{place.text}:{name}" if name else place.text
    return Runnable(_KIND, uri, kwargs=kwargs, config=context.config)


def runnable_of(kind: str, home: str, test: Found, context: Context) -> Runnable:
    """Return what runs a test of a file, with what its docstrings ask for; raise RecipeError."""
    return documented(kind, f"{home}:{test.name}", test.texts, context)
