"""Results, in our words and in those of the wire."""

from __future__ import annotations

import pytest

from nrunner.result import Cause, Result, Verdict


@pytest.mark.parametrize("result", Result)
def test_a_result_is_read_from_the_word_it_is_sent_as(result):
    assert Result.from_wire(result.wire) is result
    assert Result.from_wire(result.wire.upper()) is result


def test_an_interrupted_test_is_sent_in_the_word_that_other_runners_use():
    assert Result.INTERRUPT.wire == "interrupted"
    assert Result.from_wire("interrupt") is Result.INTERRUPT


@pytest.mark.parametrize("word", ["", "passed", "PASS ", "unknown"])
def test_an_unknown_word_is_refused(word):
    with pytest.raises(ValueError, match="is not a valid Result"):
        Result.from_wire(word)


def test_a_job_is_fine_unless_something_failed():
    fine = {result.value for result in Result if result.is_ok}
    assert fine == {"PASS", "SKIP", "WARN", "CANCEL"}


def test_causes_have_the_names_that_reports_show():
    assert [cause.value for cause in Cause] == [
        "test",
        "contract",
        "timeout",
        "malformed",
        "requirement",
        "unsuitable",
        "infra",
        "cancelled",
        "lost",
    ]


def test_verdicts_are_equal_if_they_say_the_same():
    assert Verdict(Result.PASS, Cause.TEST) == Verdict(Result.PASS, Cause.TEST, "")
    assert Verdict(Result.PASS, Cause.TEST) != Verdict(Result.PASS, Cause.TEST, "why")


def test_a_verdict_cannot_be_changed():
    with pytest.raises(AttributeError):
        Verdict(Result.FAIL, Cause.TEST).result = Result.PASS
