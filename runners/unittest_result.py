"""What became of tests that unittest ran, in the words of a report.

Used inside the interpreter of the user's choice, it imports nothing of nrunner and returns
outcomes as JSON objects (see ``Outcome`` in ``nrunner.runners.base``). Not responsible for running
anything.
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import os
import sys
import unittest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Optional, Union

    Problem = tuple[str, str, str, str]
    ExcInfo = Union[
        tuple[type[BaseException], BaseException, TracebackType], tuple[None, None, None]
    ]

__all__ = [
    "QuietResult",
    "Result",
    "Stream",
    "flush",
    "readable",
    "reason_of",
    "single_outcome",
    "traceback_of",
    "whole_outcome",
]

_KEPT = 10
"""How many problems are told in detail; the others are counted."""

_TEXT_LIMIT = 32 * 1024


class Result(unittest.TextTestResult):
    """Keeps, beside what unittest keeps, the first problems in the form of a report."""

    def __init__(self, stream: Any, descriptions: bool, verbosity: int, **rest: Any) -> None:
        super().__init__(stream, descriptions, verbosity, **rest)
        self.passed = 0
        self.any_passed = False
        self.problems: list[Problem] = []

    @property
    def is_plain_pass(self) -> bool:
        """Whether a test passed, and there is nothing to be said about it."""
        wrong = self.failures or self.errors or self.skipped or self.unexpectedSuccesses
        return self.any_passed and not wrong

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """Count a test that passed."""
        super().addSuccess(test)
        self.passed += 1
        self.any_passed = True

    def addExpectedFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:  # noqa: N802
        """Count a test that failed as it should."""
        super().addExpectedFailure(test, err)
        self.passed += 1
        self.any_passed = True

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:  # noqa: N802
        """Keep an error."""
        super().addError(test, err)
        self._keep(test, err, self.errors[-1][1])

    def addFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:  # noqa: N802
        """Keep a failure."""
        super().addFailure(test, err)
        self._keep(test, err, self.failures[-1][1])

    def addSubTest(  # noqa: N802
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: Optional[ExcInfo]
    ) -> None:
        """Keep what went wrong in a part of a test."""
        before = len(self.failures)
        super().addSubTest(test, subtest, err)
        if err is None:
            self.any_passed = True
        else:
            kept = self.failures if len(self.failures) > before else self.errors
            self._keep(test, err, kept[-1][1], subtest.id()[len(test.id()) :])

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Keep that a test passed which should fail."""
        super().addUnexpectedSuccess(test)
        if len(self.problems) < _KEPT:
            self.problems.append((_short_id(test), "unexpected success", "", ""))

    def told(self) -> str:
        """Return all problems in a line, each with the test or fixture that it is of."""
        return "; ".join(
            why if why.startswith(where) else f"{where}: {why}"
            for where, why, _, _ in self.problems
        )

    def _keep(self, test: unittest.TestCase, err: ExcInfo, text: str, which: str = "") -> None:
        if len(self.problems) < _KEPT and err[1] is not None:
            reason = reason_of(err[1]) + which
            if not isinstance(test, unittest.TestCase):
                reason = f"{_short_id(test)}: {reason}"  # of setting up or tearing down
            self.problems.append((_short_id(test), reason, type(err[1]).__name__, text))


class QuietResult(Result):
    """Says nothing as tests begin and pass, and takes no detour to find out that it should not."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream, True, 0)

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """Count a test."""
        self.testsRun += 1

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Have nothing to take back: output is not buffered here."""

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Count a test that passed."""
        self.passed += 1
        self.any_passed = True


class Stream:
    """Where unittest's text report goes: standard output, as long as that is still ours.

    A test may close or replace it; what then has its number must not get our text.
    """

    def __init__(self, output: int = 1) -> None:
        """`output` is a file that is standard output, or will be."""
        self._text: list[str] = []
        self.reopen(output)

    def reopen(self, output: int) -> None:
        """Write to a file that is standard output, or will be."""
        self._file = _identity(output)

    def write(self, text: str) -> None:
        """Take text; whole lines are written."""
        self._text.append(text)
        if text.endswith("\n"):
            self.flush()

    def writeln(self, text: str = "") -> None:
        """Write a line."""
        self.write(text + "\n")

    def flush(self) -> None:
        """Write what there is, after what the test has printed."""
        data, self._text = "".join(self._text).encode("utf-8", "replace"), []
        flush()
        if data and self._file is not None and _identity(1) == self._file:
            try:
                while data:
                    data = data[os.write(1, data) :]
            except OSError:
                self._file = None


def _identity(number: int) -> Optional[tuple[int, int]]:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino


# Words for people


def single_outcome(result: Result, class_name: str, missing: bool) -> dict[str, Any]:
    """Return the outcome of one test; it may be missing."""
    outcome: dict[str, Any] = {"result": _word(result)}
    reasons = [problem[1] for problem in result.problems]
    if outcome["result"] == "skip":
        # Whatever a test gives as its reason, unittest keeps.
        reasons = [readable(reason) for _, reason in result.skipped if reason is not None]
        reasons = [reason for reason in reasons if reason]
    if reasons:
        outcome["fail_reason"] = "; ".join(reasons)
    if missing:
        outcome["malformed"] = True
    else:
        outcome["class_name"] = class_name
    return {**outcome, **_details(result)}


def whole_outcome(result: Result, left_out: int) -> dict[str, Any]:
    """Return the outcome of several tests; some were left out."""
    if not (result.testsRun or result.errors or result.skipped):
        if left_out:
            return {"result": "skip", "fail_reason": "all its tests have tasks of their own"}
        return {"result": "error", "fail_reason": "no tests found"}
    reason = _counts(result)
    if result.problems:
        reason += ": " + result.told()
    return {"result": _word(result), "fail_reason": reason, **_details(result)}


def _word(result: Result) -> str:
    if result.failures or result.unexpectedSuccesses:
        return "fail"
    if result.errors:
        return "error"
    return "skip" if result.skipped and not result.any_passed else "pass"


def _counts(result: Result) -> str:
    counts = {
        "passed": result.passed,
        "failed": len(result.failures) + len(result.unexpectedSuccesses),
        "error" if len(result.errors) == 1 else "errors": len(result.errors),
        "skipped": len(result.skipped),
    }
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{result.testsRun} test{'' if result.testsRun == 1 else 's'}: {said}"


def _details(result: Result) -> dict[str, Any]:
    texts = [text for _, _, _, text in result.problems if text]
    details: dict[str, Any] = {}
    if texts:
        details["traceback"] = "\n".join(texts)[:_TEXT_LIMIT]
    if result.problems and result.problems[0][2]:
        details["fail_class"] = result.problems[0][2]
    return details


def _short_id(test: unittest.TestCase) -> str:
    name = test.id()
    module = type(test).__module__ + "."
    return name[len(module) :] if name.startswith(module) else name


def reason_of(error: BaseException) -> str:
    """Return class and first line of an exception that may refuse to be printed."""
    cls = type(error)
    name = cls.__qualname__
    if cls.__module__ not in ("builtins", "__main__"):
        name = f"{cls.__module__}.{name}"
    text = readable(error).strip()
    return f"{name}: {text.splitlines()[0]}" if text else name


def readable(thing: object) -> str:
    """Return the text of an object that may refuse to be printed."""
    try:
        return str(thing)
    except Exception:
        return "(its text cannot be read)"


def traceback_of(error: BaseException) -> str:
    """Return the traceback without the frames of this file and of the import system."""
    import traceback

    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))[-_TEXT_LIMIT:]


def _is_ours(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_code.co_filename
    return os.path.dirname(name) == _HERE or "importlib" in name


def flush() -> None:
    """Flush the standard streams; let go of one that cannot be, or the exit status suffers."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        try:
            if stream is not None:
                stream.flush()
        except Exception:
            setattr(sys, name, None)


_HERE = os.path.dirname(flush.__code__.co_filename)
"""The folder of our own files, as tracebacks call it."""
