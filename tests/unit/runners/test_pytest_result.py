"""How the reports of pytest become an outcome; they are made by hand here."""

from __future__ import annotations

import doctest
from types import SimpleNamespace
from typing import Any

import pytest

from nrunner.runners.pytest_result import Recorder, single_outcome, text_of, whole_outcome


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def report(
    outcome: str, when: str = "call", *, error: BaseException | None = None, **more: Any
) -> Any:
    made = {
        "nodeid": "test_a.py::test_b",
        "when": when,
        "passed": outcome == "passed",
        "failed": outcome == "failed",
        "skipped": outcome == "skipped",
        "outcome": outcome,
        "longrepr": None,
        "longreprtext": f"long words about {error!r:.40}" if error is not None else "",
        "head_line": "test_b",
        "sections": [],
        "error": error,
        **more,
    }
    return SimpleNamespace(**made)


def recorder_of(*reports: Any) -> Recorder:
    recorder = Recorder()
    for each in reports:
        recorder.pytest_runtest_logreport(each)
        if each.error is not None:
            call = SimpleNamespace(excinfo=SimpleNamespace(value=each.error))
            recorder.pytest_exception_interact(call, each)
    return recorder


SET_UP, TORN_DOWN = report("passed", "setup"), report("passed", "teardown")


def outcome(*reports: Any) -> tuple[str, str]:
    found = single_outcome(recorder_of(*reports), "")
    return found["result"], found.get("fail_reason", "")


def test_a_test_that_passed_has_nothing_more_to_say() -> None:
    assert single_outcome(recorder_of(SET_UP, report("passed"), TORN_DOWN), "TestA") == {
        "result": "pass",
        "class_name": "TestA",
    }


@pytest.mark.parametrize("error", [AssertionError("assert 1 == 2\nmore"), SystemExit(3)])
def test_any_exception_of_a_test_is_a_failure(error: BaseException) -> None:
    failed = single_outcome(recorder_of(SET_UP, report("failed", error=error), TORN_DOWN), "")
    assert failed["result"] == "fail"
    assert failed["fail_reason"] == f"{type(error).__name__}: {str(error).splitlines()[0]}"
    assert failed["fail_class"] == type(error).__name__
    assert failed["traceback"].startswith("long words")


def test_an_exception_that_cannot_be_printed_is_told_all_the_same() -> None:
    _, reason = outcome(SET_UP, report("failed", error=Unprintable()))
    assert reason.endswith("Unprintable: (its text cannot be read)")


def test_what_fails_around_a_test_is_an_error_and_the_reason_says_where() -> None:
    bad = ValueError("bad")
    assert outcome(report("failed", "setup", error=bad)) == ("error", "set-up: ValueError: bad")
    assert outcome(SET_UP, report("passed"), report("failed", "teardown", error=bad)) == (
        "error",
        "tear-down: ValueError: bad",
    )


def test_a_failure_stays_one_if_the_tear_down_goes_wrong_too() -> None:
    told = outcome(
        SET_UP,
        report("failed", error=AssertionError("no")),
        report("failed", "teardown", error=OSError("late")),
    )
    assert told == ("fail", "AssertionError: no; tear-down: OSError: late")


def test_a_doctest_says_what_it_expected_and_got() -> None:
    example = doctest.Example("f()\n", "2\n")
    failure = doctest.DocTestFailure(doctest.DocTest([], {}, "f", "", 1, ""), example, "1\n")
    assert outcome(SET_UP, report("failed", error=failure)) == (
        "fail",
        "'f()': expected '2', got '1'",
    )


def test_a_fixture_that_is_not_there_is_named() -> None:
    longrepr = SimpleNamespace(errorstring="fixture 'nosuch' not found\n> available: tmp_path")
    missing = report("failed", "setup", error=LookupError(), longrepr=longrepr)
    assert outcome(missing) == ("error", "set-up: fixture 'nosuch' not found")


@pytest.mark.parametrize("when", ["setup", "call"])
def test_a_skip_has_the_reason_that_was_given(when: str) -> None:
    skipped = report("skipped", when, longrepr=("a.py", 3, "Skipped: no way"))
    before = [] if when == "setup" else [SET_UP]
    assert outcome(*before, skipped, TORN_DOWN) == ("skip", "no way")


@pytest.mark.parametrize(
    ("when", "wasxfail", "reason"),
    [
        ("call", "bug 1", "failed as expected: bug 1"),
        ("call", "reason: bug 1", "failed as expected: bug 1"),
        ("call", "", "failed as expected"),
        ("setup", "bug 1", "failed as expected: bug 1"),
    ],
)
def test_a_failure_that_was_expected_passes(when: str, wasxfail: str, reason: str) -> None:
    assert outcome(report("skipped", when, wasxfail=wasxfail)) == ("pass", reason)


def test_a_success_that_was_not_expected_is_a_warning_or_fails_where_that_is_strict() -> None:
    lax = report("passed", wasxfail="bug 1")
    strict = report("failed", longreprtext="[XPASS(strict)] bug 1")
    assert outcome(SET_UP, lax) == ("warn", "passed though it was expected to fail: bug 1")
    assert outcome(SET_UP, strict) == ("fail", "passed though it was expected to fail: bug 1")


def test_the_last_of_several_runs_counts() -> None:
    again = report("rerun", error=OSError("flaky"))
    assert outcome(SET_UP, again, TORN_DOWN, SET_UP, report("passed"), TORN_DOWN) == ("pass", "")


def test_a_skipped_subtest_skips_no_test_but_a_failed_one_fails_it() -> None:
    skipped = report("skipped", longrepr=("a.py", 1, "Skipped: not this"))
    failed = report("failed", error=AssertionError("i = 3"))
    assert outcome(SET_UP, skipped, report("passed"), TORN_DOWN) == ("pass", "")
    assert outcome(SET_UP, failed, report("passed"), TORN_DOWN)[0] == "fail"


def test_a_test_of_which_nothing_was_heard_is_an_error() -> None:
    assert outcome() == ("error", "pytest did not run it")


def test_several_tests_are_counted_and_the_bad_ones_named() -> None:
    recorder = recorder_of(
        report("passed", nodeid="a.py::test_1"),
        report("failed", nodeid="a.py::T::test_2", error=AssertionError("no")),
        report("failed", "setup", nodeid="a.py::test_3", error=OSError("disk")),
        report("skipped", nodeid="a.py::test_4", longrepr=("a.py", 1, "Skipped: x")),
    )
    found = whole_outcome(recorder, 0)
    assert found["result"] == "fail"
    assert found["fail_reason"] == (
        "4 tests: 1 passed, 1 failed, 1 in error, 1 skipped; "
        "T::test_2: AssertionError: no; test_3: set-up: OSError: disk"
    )
    assert found["fail_class"] == "AssertionError"


def test_several_tests_of_which_some_did_not_run_have_not_passed() -> None:
    found = whole_outcome(recorder_of(report("passed")), 2)
    assert (found["result"], found["fail_reason"]) == ("error", "3 tests: 1 passed, 2 not run")


def test_what_was_logged_is_shown_under_what_failed() -> None:
    sections = [("Captured log call", "WARNING disk full\n")]
    lines = text_of(report("failed", "teardown", longreprtext="E  no", sections=sections))
    title, text, second, log, end = lines.split("\n")
    assert title.strip("_") == " ERROR at teardown of test_b "
    assert (text, second.strip("-"), log, end) == (
        "E  no",
        " Captured log call ",
        "WARNING disk full",
        "",
    )
