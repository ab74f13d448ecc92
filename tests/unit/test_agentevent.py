"""What the frames of an agent are translated into."""

from __future__ import annotations

import pytest

from nrunner.agentevent import translate
from nrunner.ending import Ending, Stop
from nrunner.event import Ended, NotStarted, Started
from nrunner.result import Cause, Result, Verdict


def event(name: str, **fields):
    return translate({"event": name, "task": 3, "attempt": 2, **fields}, 7.0)


def ending(**fields) -> Ending:
    found = event("ended", **fields)
    assert isinstance(found, Ended)
    assert (found.number, found.attempt, found.time) == (3, 2, 7.0)
    return found.ending


def test_a_start_is_a_start():
    assert event("started", pid=5, slot="/x") == Started(7.0, 3, 2)


def test_news_for_people_are_no_event_of_the_machine():
    assert event("slow", elapsed=3) is None


@pytest.mark.parametrize("result", Result)
def test_every_result_arrives_by_the_word_that_is_sent(result):
    assert ending(result=result.wire).result is result


@pytest.mark.parametrize("word", ["", "splendid", None])
def test_a_word_that_is_no_result_is_none(word):
    assert ending(result=word).result is None
    assert ending().result is None


def test_every_field_of_an_end_arrives():
    told = ending(
        result="fail",
        fail_reason="why",
        returncode=-9,
        core=True,
        class_name="T",
        fail_class="E",
        traceback="tb",
        contract=True,
        malformed=True,
        stop="silence",
        stop_detail="no output for 3 s",
        elapsed=1.5,
        leaks=[{"pid": 1}],
        unkillable=[{"pid": 2}],
        trouble="disk full",
        layer="subreaper",
        doing="sleep 9 waits",
        whiteboard="w",
        outputs=["stdout"],
        unheard_of="ignored",
    )
    assert told == Ending(
        Result.FAIL,
        "why",
        -9,
        True,
        "T",
        "E",
        "tb",
        True,
        True,
        Stop.SILENCE,
        "no output for 3 s",
        1.5,
        ({"pid": 1},),
        ({"pid": 2},),
        "disk full",
        "subreaper",
        "sleep 9 waits",
        "w",
        ("stdout",),
    )


@pytest.mark.parametrize(
    "fields", [{"stop": "boredom"}, {"stop": []}, {"leaks": 3}, {"outputs": None}, {"result": []}]
)
def test_an_end_that_is_not_understood_is_trouble_and_no_exception(fields):
    told = ending(**fields)
    assert "not understood" in told.trouble
    assert told.result is None


@pytest.mark.parametrize(
    ("cause", "verdict"),
    [
        ("malformed", (Result.ERROR, Cause.MALFORMED)),
        ("cancelled", (Result.CANCEL, Cause.CANCELLED)),
        ("unsuitable", (Result.SKIP, Cause.UNSUITABLE)),
        ("infra", (Result.ERROR, Cause.INFRA)),
        ("unheard of", (Result.ERROR, Cause.INFRA)),
        ([], (Result.ERROR, Cause.INFRA)),
    ],
)
def test_what_could_not_be_started_has_the_verdict_of_its_cause(cause, verdict):
    expected = NotStarted(7.0, 3, 2, Verdict(*verdict, "why"))
    assert event("not_started", cause=cause, reason="why") == expected
