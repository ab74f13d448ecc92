"""What became of tests that pytest ran or collected, in the words of a report.

Used inside the interpreter of the user's choice, where pytest is; it imports nothing else of
nrunner than words. Not responsible for running anything (``nrunner.runners.pytest_session``).
Portable: runs on Python 3.7 with pytest 7.
"""

from __future__ import annotations

import os
import sys
import warnings

import pytest

from nrunner.runners.unittest_result import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

__all__ = ["Recorder", "failure_of", "single_outcome", "text_of", "whole_outcome"]

_KEPT = 10
"""How many problems are told in detail; the others are counted."""
_TEXT_LIMIT = 32 * 1024
_WIDTH = 79
_PLACES = {"setup": "set-up: ", "call": "", "teardown": "tear-down: "}
_TITLES = {"setup": "ERROR at setup of {}", "call": "{}", "teardown": "ERROR at teardown of {}"}
_LEAVE = {"no_cov": True}
"""Options that have to be known as plugins are loaded: who measures coverage would begin then."""


class Recorder:
    """A plugin that keeps the reports of pytest."""

    def __init__(self) -> None:
        self.reports: list[Any] = []
        """Of set-up, call and tear-down of each test, in order."""
        self.collected: list[Any] = []
        """Of collectors that failed, or asked to be skipped."""
        self.deselected: list[Any] = []
        """Items that options left out."""
        self._causes: dict[int, tuple[str, str]] = {}

    def cause_of(self, report: Any) -> tuple[str, str]:
        """Return what a report is about, and the class of the exception; empty if unknown."""
        return self._causes.get(id(report), ("", ""))

    def forget(self) -> None:
        """Begin anew with another test."""
        self.reports, self._causes = [], {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_load_initial_conftests(self, early_config: Any) -> Iterator[None]:
        """Have nobody begin what would go on for longer than a test."""
        for name, value in _LEAVE.items():
            if hasattr(early_config.known_args_namespace, name):
                setattr(early_config.known_args_namespace, name, value)
        yield

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep what became of a part of a test."""
        self.reports.append(report)

    def pytest_collectreport(self, report: Any) -> None:
        """Keep what could not be collected."""
        if not report.passed:
            self.collected.append(report)

    def pytest_deselected(self, items: Sequence[Any]) -> None:
        """Keep what options left out."""
        self.deselected += items

    def pytest_warning_recorded(self, warning_message: Any, when: str) -> None:
        """Show what a test was warned of; of its file's import each test would hear again."""
        if when == "runtest":
            told = warning_message
            try:
                sys.stderr.write(
                    warnings.formatwarning(told.message, told.category, told.filename, told.lineno)
                )
            except Exception:
                return

    def pytest_exception_interact(self, call: Any, report: Any) -> None:
        """Keep the words of an exception, but not itself: it would keep all that it knows."""
        error, name = call.excinfo.value, type(call.excinfo.value).__name__
        try:
            words = _words_of(error, report.when)
        except Exception:  # not even its attributes can be read
            words = name
        self._causes[id(report)] = words, name


# Outcomes


def single_outcome(recorder: Recorder, class_name: str) -> dict[str, Any]:
    """Return the outcome of one test."""
    outcome = _verdict(recorder, recorder.reports)
    if class_name:
        outcome["class_name"] = class_name
    return outcome


def whole_outcome(recorder: Recorder, missed: int) -> dict[str, Any]:
    """Return the outcome of several tests, and of `missed` ones that did not run."""
    by_test: dict[str, list[Any]] = {}
    for report in recorder.reports:
        by_test.setdefault(report.nodeid, []).append(report)
    verdicts = {name: _verdict(recorder, each) for name, each in by_test.items()}
    counts = {"not run": missed} if missed else {}
    for each in verdicts.values():
        counts[each["result"]] = counts.get(each["result"], 0) + 1
    worst = next((word for word in _WORST if word in counts), "not run")
    outcome = {
        "result": "error" if worst == "not run" else worst,
        "fail_reason": _counted(counts, len(verdicts) + missed),
    }
    bad = {name: each for name, each in verdicts.items() if each["result"] in ("fail", "error")}
    for name, each in [*bad.items()][:_KEPT]:
        outcome["fail_reason"] += f"; {_names(name)}: {each['fail_reason']}"
    texts = [each["traceback"] for each in [*bad.values()][:_KEPT] if "traceback" in each]
    if texts:
        outcome["traceback"] = "\n".join(texts)[:_TEXT_LIMIT]
    classes = [each["fail_class"] for each in bad.values() if "fail_class" in each]
    return {**outcome, "fail_class": classes[0]} if classes else outcome


def _counted(counts: Mapping[str, int], total: int) -> str:
    said = ", ".join(f"{counts[word]} {told}" for word, told in _COUNTS.items() if word in counts)
    return f"{total} test{'' if total == 1 else 's'}: {said}"


_COUNTS = {
    "pass": "passed",
    "warn": "passed unexpectedly",
    "fail": "failed",
    "error": "in error",
    "skip": "skipped",
    "not run": "not run",
}
_WORST = ("fail", "error", "not run", "warn", "pass", "skip")


_UNEXPECTED = "passed though it was expected to fail"


def _verdict(recorder: Recorder, reports: Sequence[Any]) -> dict[str, Any]:
    failed = [each for each in reports if each.failed]
    if failed:
        return _failure(recorder, failed)
    # What a test says of itself comes after what its subtests say.
    said = [each for each in reports if each.when == "call"] or list(reports[:1])
    if not said:
        return {"result": "error", "fail_reason": "pytest did not run it"}
    last = said[-1]
    why = getattr(last, "wasxfail", None)
    if why is not None:
        word = "warn" if last.passed else "pass"
        what = _UNEXPECTED if last.passed else "failed as expected"
        why = why[len("reason: ") :] if why.startswith("reason: ") else why
        return {"result": word, "fail_reason": f"{what}: {why}" if why else what}
    if last.skipped:
        reason = _skipped(last)
        return {"result": "skip", **({"fail_reason": reason} if reason else {})}
    if last.passed:
        return {"result": "pass"}
    return {"result": "error", "fail_reason": f"pytest reported {last.outcome!r}"}


def _failure(recorder: Recorder, failed: Sequence[Any]) -> dict[str, Any]:
    kept = failed[:_KEPT]
    told = [_PLACES.get(each.when, "") + failure_of(recorder, each) for each in kept]
    outcome: dict[str, Any] = {
        "result": "fail" if any(each.when == "call" for each in failed) else "error",
        "fail_reason": "; ".join(told),
    }
    texts = [each.longreprtext for each in kept if each.longreprtext]
    if texts:
        outcome["traceback"] = "\n".join(texts)[:_TEXT_LIMIT]
    _, name = recorder.cause_of(failed[0])
    return {**outcome, "fail_class": name} if name else outcome


def failure_of(recorder: Recorder, report: Any) -> str:
    """Return in a line why something failed."""
    known = getattr(report.longrepr, "errorstring", None)  # what pytest says of fixtures
    if known is not None:
        return _first_line(known)
    words, _ = recorder.cause_of(report)
    if words:
        return words
    said = _first_line(report.longreprtext)
    return said.replace("[XPASS(strict)]", f"{_UNEXPECTED}:", 1).rstrip(": ") or "failed"


def _words_of(cause: BaseException, when: str) -> str:
    if when != "collect":
        return _doctest(cause) or reason_of(cause)
    if type(cause).__name__ == "CollectError":
        inner = cause.__cause__
        return _told(str(cause)) if inner is None else reason_of(inner) + _place(inner)
    # What pytest itself has to complain of is said without a place of ours.
    return str(cause) if type(cause).__name__ == "Failed" else reason_of(cause) + _place(cause)


def _doctest(cause: Any) -> str:
    """Return what a doctest expected and got, if the exception is about one."""
    first = next(iter(getattr(cause, "failures", ())), cause)
    if type(first).__name__ != "DocTestFailure":
        return ""
    asked, want, got = first.example.source, first.example.want, first.got
    return f"{asked.strip()!r}: expected {want.strip()!r}, got {got.strip()!r}"


def _told(text: str) -> str:
    """Return the line of a text that says what is wrong: pytest marks it by an E."""
    marked = [line[1:].strip() for line in text.splitlines() if line.startswith("E  ")]
    return marked[-1] if marked else _first_line(text)


def _place(error: BaseException) -> str:
    """Return the last line of the tests that an exception of their import came from."""
    if isinstance(error, SyntaxError):
        return ""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not any(each in name for each in ("importlib", "/_pytest/", "/pluggy/")):
            place = f" ({_short(name)}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place


def _short(path: str) -> str:
    """Return a path relative to where the tests run, if it is below."""
    here = os.getcwd() + os.sep
    return path[len(here) :] if path.startswith(here) else path


def _skipped(report: Any) -> str:
    where = report.longrepr
    reason = str(where[2]) if isinstance(where, tuple) else report.longreprtext
    return reason[len("Skipped: ") :] if reason.startswith("Skipped: ") else reason


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""


def _names(nodeid: str) -> str:
    return nodeid.partition("::")[2] or nodeid


# Text for people


def text_of(report: Any) -> str:
    """Return what pytest says of a part of a test that failed, and what was logged there."""
    name = report.head_line or report.nodeid
    parts = [_line("_", _TITLES.get(report.when, "{}").format(name)), report.longreprtext]
    for title, content in report.sections:
        parts += [_line("-", title), content.rstrip("\n")]
    return "\n".join(parts) + "\n"


def _line(sign: str, title: str) -> str:
    return f" {title} ".center(_WIDTH, sign)
