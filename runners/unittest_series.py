"""Runs tests of one module one after another, as unittest runs those of one suite.

Each has an outcome of its own, but what setUpModule and setUpClass made stays until the last test
that it is for has run, and what goes wrong in tearing it down is told by that test.
Used inside the interpreter of the user's choice. Not responsible for which test comes when, nor
for processes (``nrunner.runners.resident``).
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import sys
import unittest

from nrunner.runners.unittest_child import load, outcome_of_error, show_warnings, tests_in
from nrunner.runners.unittest_result import QuietResult, Stream, single_outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Optional

__all__ = ["UnittestSeries"]

_STATE = ("_previousTestClass", "_moduleSetUpFailed")
"""What a suite keeps on a result to know what is set up: handed on from test to test."""


class UnittestSeries:
    """The tests of one module, with what is set up for them."""

    def __init__(self) -> None:
        self._loaded: Any = None
        """The module, or the outcome that all its tests have since it cannot be imported."""
        self._state: dict[str, Any] = {}
        self._set_up: dict[str, Any] = {}
        """The outcome of the test for which something was set up last."""

    def run(self, spec: Mapping[str, Any], follower: str) -> dict[str, Any]:
        """Run one test and return its outcome; `follower` is the uri of the next one, or empty."""
        if self._loaded is None:
            loaded = load(spec)
            self._loaded = loaded[0] if isinstance(loaded, tuple) else loaded
            show_warnings()
        if isinstance(self._loaded, dict):
            return self._loaded
        stream = Stream()
        try:
            return self._run(spec["uri"], follower, stream)
        except BaseException as error:
            return outcome_of_error(error, stream)

    def leave(self) -> str:
        """Tear down what is set up, as nobody comes any more; return what went wrong."""
        result = self._new_result(Stream())
        self._tear_down(unittest.TestSuite(), result, with_module=True)
        result.printErrors()
        return result.told()

    def _run(self, uri: str, follower: str, stream: Stream) -> dict[str, Any]:
        sys.argv = ["python -m unittest", uri]
        names = _names(uri)
        tests, missing = tests_in(self._loaded, names)
        class_name = type(tests[0]).__qualname__ if tests else names
        suite = unittest.TestSuite(tests)
        result = self._new_result(stream)
        try:
            suite.run(result)
        finally:  # whatever a test may raise, what was set up for others is theirs
            if _names(follower).partition(".")[0] != names.partition(".")[0]:
                self._tear_down(suite, result, with_module=not follower)
            self._state = {name: getattr(result, name, None) for name in _STATE}
        if not result.wasSuccessful():
            result.printErrors()
        if tests and not (result.testsRun or result.errors or result.skipped):
            return self._set_up  # what failed there failed for all
        outcome = single_outcome(result, class_name, missing)
        if not result.testsRun:
            self._set_up = outcome
        return outcome

    def _new_result(self, stream: Stream) -> QuietResult:
        result: Any = QuietResult(stream)
        for name, value in self._state.items():
            setattr(result, name, value)
        result._testRunEntered = True  # noqa: SLF001 - or the suite would tear everything down
        return result  # type: ignore[no-any-return]  # Any is what takes the attributes above

    def _tear_down(self, suite: Any, result: Any, *, with_module: bool) -> None:
        """Do what a suite does at the end of a class, and at that of a module."""
        suite._tearDownPreviousClass(None, result)  # noqa: SLF001 - there is no other way to it
        previous: Optional[type] = getattr(result, "_previousTestClass", None)
        if previous is not None:
            # Its class is done with, but the suite still has to know the module by it.
            ended = type("Ended", (), {"__module__": previous.__module__})
            result._previousTestClass = ended  # noqa: SLF001
        if with_module:
            suite._handleModuleTearDown(result)  # noqa: SLF001
            result._previousTestClass = None  # noqa: SLF001


def _names(uri: str) -> str:
    """Return ``Class.method`` of ``module.py:Class.method``."""
    return uri.rpartition(":")[2]
