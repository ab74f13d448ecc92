"""Tests that are made before the forks that run them.

A fork has to copy each page of memory that it touches, which costs more than what is done there.
So whatever runs no line of the tests is done beforehand, in the zygote; and there only once, where
that will do, since the zygote has to copy what it touches, too.
Used inside the interpreter of the user's choice. Not responsible for finding modules, nor for
writing reports (``nrunner.runners.unittest_child``).
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import json
import sys
import unittest
import unittest.case

from nrunner.runners.unittest_result import QuietResult, Stream, single_outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Optional

__all__ = ["Prepared", "Workshop"]

_MODULE_CLEANUPS: Any = getattr(unittest.case, "_module_cleanups", ())


class Workshop:
    """Makes the tests of one module."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.shows_warnings = False
        """Whether warnings are shown here as unittest shows them."""
        self._stream = Stream()
        self._result = QuietResult(self._stream)
        self._known: dict[str, Optional[_Class]] = {}

    def make(self, names: str, output: int) -> Optional[Prepared]:
        """Make the test of ``Class.method``; return None where that may run a line of the tests.

        `output` is a file that will be standard output.
        """
        class_name, _, name = names.partition(".")
        if class_name not in self._known:
            found: Any = vars(self.module).get(class_name)
            self._known[class_name] = _Class(found) if _is_made_plainly(found) else None
        known = self._known[class_name]
        if known is None or not known.has(name):
            return None
        self._stream.reopen(output)
        return Prepared(known, name, self._result, self._stream)


class _Class:
    """What is the same for all tests of a class."""

    def __init__(self, cls: type[unittest.TestCase]) -> None:
        self.cls = cls
        self.is_bare = _is_bare(cls)
        self.passed = {"result": "pass", "class_name": cls.__qualname__}
        self.report = json.dumps(self.passed).encode("ascii") + b"\n"

    def has(self, name: str) -> bool:
        """Whether it has a method of this name, and nothing that only looks like one."""
        return type(_found(self.cls, name)) is type(_found)


class Prepared:
    """One test method, to be run once."""

    def __init__(self, known: _Class, name: str, result: QuietResult, stream: Stream) -> None:
        self.passed = known.passed
        """The outcome of a test of which nothing is to be said but that it passed."""
        self.report = known.report
        """The same as it is reported."""
        self._known = known
        self._test = known.cls(name)
        self._result = result
        self.stream = stream
        """Where trouble is told."""

    def run(self) -> dict[str, Any]:
        """Run the test and return its outcome."""
        result = self._result
        if self._known.is_bare:
            self._test(result)
            self._clean_up()
        else:
            unittest.TestSuite([self._test]).run(result)
        if result.is_plain_pass:
            return self.passed
        if not result.wasSuccessful():
            result.printErrors()
        return single_outcome(result, self.passed["class_name"], False)

    def _clean_up(self) -> None:
        """Do for a test what a suite would do, where the test asked for it as it ran."""
        if getattr(self._known.cls, "_class_cleanups", ()) or _MODULE_CLEANUPS:
            result: Any = self._result
            result._previousTestClass = self._known.cls  # noqa: SLF001 - as a suite notes it
            suite: Any = unittest.TestSuite()
            suite._tearDownPreviousClass(None, result)  # noqa: SLF001 - no other way to it
            suite._handleModuleTearDown(result)  # noqa: SLF001


def _is_made_plainly(cls: type) -> bool:
    """Whether making a test of a class runs no code but unittest's."""
    if type(cls) is not type or not issubclass(cls, unittest.TestCase):
        return False
    same = ("__init__", "__new__", "__getattribute__", "__setattr__")
    return all(getattr(cls, name) is getattr(unittest.TestCase, name) for name in same) and not (
        hasattr(cls, "__getattr__") or hasattr(cls, "__del__")
    )


def _is_bare(cls: type[unittest.TestCase]) -> bool:
    """Whether nothing is to be set up or torn down around the tests of a class."""
    module = sys.modules.get(cls.__module__)
    if type(module) is not type(sys) or _MODULE_CLEANUPS:
        return False
    if any(name in vars(module) for name in ("setUpModule", "tearDownModule", "__getattr__")):
        return False
    usual = vars(unittest.TestCase)
    names = ("setUpClass", "tearDownClass", "doClassCleanups")
    return all(_found(cls, name) is usual.get(name) for name in names)


def _found(cls: type, name: str) -> object:
    """Return what a class has of this name, without anything being done to look it up."""
    return next((vars(each)[name] for each in cls.__mro__ if name in vars(each)), None)
