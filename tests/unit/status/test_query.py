from __future__ import annotations

import pytest

from nrunner.errors import UsageError
from nrunner.phase import Phase
from nrunner.result import Result
from nrunner.status.query import TaskQuery, truth, whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("", None), ("-1", None), ("1.0", None), ("+1", None), (" 1", None)],
)
def test_only_plain_digits_are_a_number(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["٣", "²", "9" * 5000])
def test_odd_digits_and_endless_numbers_are_none(text: str) -> None:
    assert whole_number(text) is None


def test_without_parameters_all_tasks_are_asked_for_a_page_at_a_time() -> None:
    assert TaskQuery.of({}) == TaskQuery(1, 100, frozenset(), frozenset())
    assert not TaskQuery.of({}).filters


def test_words_may_be_many_and_in_any_case() -> None:
    query = TaskQuery.of({"phase": "ready,Started", "result": "pass,", "start": "5", "limit": "9"})

    assert query == TaskQuery(
        5, 9, frozenset({Phase.READY, Phase.STARTED}), frozenset({Result.PASS})
    )
    assert query.filters


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"phase": "redy"}, "parameter 'phase': unknown 'REDY'; did you mean 'READY'?"),
        ({"result": "x"}, "parameter 'result': unknown 'X'; known are PASS, FAIL"),
        ({"limit": "1001"}, "parameter 'limit': expected a number from 1 to 1000"),
        ({"start": "0"}, "parameter 'start': expected a number from 1"),
        ({"results": "pass"}, "unknown parameter 'results'; did you mean 'result'?"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_right(
    parameters: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        TaskQuery.of(parameters)

    assert str(caught.value).startswith(complaint)


def test_a_complaint_stays_short_whatever_was_given() -> None:
    with pytest.raises(UsageError) as caught:
        TaskQuery.of({"x" * 100_000: "1"})

    assert len(str(caught.value)) < 200


def test_a_truth_is_said_in_full_or_not_at_all():
    assert [truth(each, "kill") for each in ({"kill": "true"}, {"kill": "false"}, {})] == [
        True,
        False,
        False,
    ]
    for text in ("", "1", "True", "yes"):
        with pytest.raises(UsageError, match="'kill': expected true or false"):
            truth({"kill": text}, "kill")
