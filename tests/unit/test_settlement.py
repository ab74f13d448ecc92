"""Which verdict an attempt gets, whether another may follow, and what they come to together."""

from __future__ import annotations

import pytest

from nrunner.ending import Ending, Stop
from nrunner.result import Cause, Result, Verdict
from nrunner.runnable import Runnable
from nrunner.settlement import LeakPolicy, Retry, combine, judge, retry_after
from nrunner.task import Task

PROCESS = {"pid": 7, "command": "sleep 60", "age": 0.26, "wait_channel": "nfs_wait"}
ORDERED = Verdict(Result.INTERRUPT, Cause.CANCELLED, "by a person")

PASS = Verdict(Result.PASS, Cause.TEST)
WARN = Verdict(Result.WARN, Cause.TEST, "left 1 process (7 sleep) behind")
SKIP = Verdict(Result.SKIP, Cause.TEST, "no network")
FAIL = Verdict(Result.FAIL, Cause.TEST, "1 != 2")
CRASH = Verdict(Result.ERROR, Cause.CONTRACT, "it ended without a result")
TIMEOUT = Verdict(Result.INTERRUPT, Cause.TIMEOUT, "past its 5 s limit")
MALFORMED = Verdict(Result.ERROR, Cause.MALFORMED, "no such file")
UNMET = Verdict(Result.SKIP, Cause.REQUIREMENT, "no such package")
UNSUITABLE = Verdict(Result.SKIP, Cause.UNSUITABLE, "too old")
INFRA = Verdict(Result.ERROR, Cause.INFRA, "agent died")
CANCELLED = Verdict(Result.CANCEL, Cause.CANCELLED, "by a person")
LOST = Verdict(Result.ERROR, Cause.LOST, "nobody knows")


# What one attempt comes to.


@pytest.mark.parametrize("result", Result)
def test_a_test_that_ends_by_itself_has_the_last_word(result):
    ending = Ending(result, "its reason")
    assert judge(ending, None, LeakPolicy.WARN) == Verdict(result, Cause.TEST, "its reason")


def test_a_test_that_ends_by_itself_has_the_last_word_even_if_it_was_to_be_stopped():
    assert judge(Ending(Result.PASS), ORDERED, LeakPolicy.WARN) == PASS


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (
            Ending(None),
            Verdict(Result.ERROR, Cause.CONTRACT, "it ended without a result"),
        ),
        (
            Ending(Result.PASS, "said pass, exited with 1", contract=True),
            Verdict(Result.ERROR, Cause.CONTRACT, "said pass, exited with 1"),
        ),
        (
            Ending(None, malformed=True),
            Verdict(Result.ERROR, Cause.MALFORMED, "cannot be run"),
        ),
        (
            Ending(Result.ERROR, "no such file", malformed=True),
            Verdict(Result.ERROR, Cause.MALFORMED, "no such file"),
        ),
        (
            Ending(None, stop=Stop.TIMEOUT, stop_detail="past its 5 s limit"),
            TIMEOUT,
        ),
        (
            Ending(None, stop=Stop.SILENCE, stop_detail="silent for 5 s"),
            Verdict(Result.INTERRUPT, Cause.TIMEOUT, "silent for 5 s"),
        ),
        (
            Ending(None, stop=Stop.ORPHANED, stop_detail="no controller for 60 s"),
            Verdict(Result.ERROR, Cause.INFRA, "no controller for 60 s"),
        ),
        (
            Ending(None, stop=Stop.CANCELLED, stop_detail="cancelled"),
            Verdict(Result.INTERRUPT, Cause.CANCELLED, "cancelled"),
        ),
        (
            Ending(Result.PASS, trouble="disk full"),
            Verdict(Result.ERROR, Cause.INFRA, "disk full"),
        ),
    ],
    ids=lambda value: value.cause.value if isinstance(value, Verdict) else "",
)
def test_the_cause_follows_from_where_it_went_wrong(ending, expected):
    assert judge(ending, None, LeakPolicy.WARN) == expected


def test_an_ordered_stop_gives_the_verdict_of_who_ordered_it():
    ending = Ending(None, stop=Stop.CANCELLED, stop_detail="cancelled")
    assert judge(ending, ORDERED, LeakPolicy.WARN) == ORDERED


def test_a_limit_that_was_passed_first_is_the_cause_even_if_a_stop_was_ordered_later():
    ending = Ending(None, stop=Stop.TIMEOUT, stop_detail="past its 5 s limit")
    assert judge(ending, ORDERED, LeakPolicy.WARN) == TIMEOUT


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("late", "late; 1 process (7 sleep 60, waits in nfs_wait) cannot be killed"),
        ("", "1 process (7 sleep 60, waits in nfs_wait) cannot be killed"),
    ],
)
def test_processes_that_cannot_be_killed_are_named(detail, expected):
    ending = Ending(None, stop=Stop.TIMEOUT, stop_detail=detail, unkillable=(PROCESS,))
    verdict = judge(ending, None, LeakPolicy.WARN)
    assert verdict == Verdict(Result.INTERRUPT, Cause.TIMEOUT, expected)


@pytest.mark.parametrize(
    ("policy", "result", "detail"),
    [
        (LeakPolicy.IGNORE, Result.PASS, ""),
        (LeakPolicy.WARN, Result.WARN, "left 1 process (7 sleep 60, 0.3 s old) behind"),
        (LeakPolicy.FAIL, Result.FAIL, "left 1 process (7 sleep 60, 0.3 s old) behind"),
    ],
)
def test_processes_left_behind_by_a_passing_test_count_by_policy(policy, result, detail):
    verdict = judge(Ending(Result.PASS, leaks=(PROCESS,)), None, policy)
    assert verdict == Verdict(result, Cause.TEST, detail)


@pytest.mark.parametrize("result", [each for each in Result if each is not Result.PASS])
def test_processes_left_behind_change_no_verdict_but_a_pass(result):
    assert judge(Ending(result, leaks=(PROCESS,)), None, LeakPolicy.FAIL).result is result


def test_a_process_that_cannot_be_killed_is_named_whatever_the_test_said():
    rest = "1 process (7 sleep 60, waits in nfs_wait) cannot be killed"
    for result, policy in ((Result.PASS, LeakPolicy.IGNORE), (Result.FAIL, LeakPolicy.WARN)):
        ending = Ending(result, leaks=(PROCESS,), unkillable=(PROCESS,))
        assert judge(ending, None, policy) == Verdict(result, Cause.TEST, rest)
    ending = Ending(Result.PASS, leaks=(PROCESS,), unkillable=(PROCESS,))
    assert judge(ending, None, LeakPolicy.WARN).detail.endswith(f"behind; {rest}")


def test_of_many_processes_three_are_named():
    leaks = tuple({"pid": pid} for pid in range(1, 6))
    verdict = judge(Ending(Result.PASS, leaks=leaks), None, LeakPolicy.WARN)
    assert verdict.detail == "left 5 processes (1; 2; 3 and 2 more) behind"


# Whether another attempt may follow.


def task(retries=0, idempotent=False):
    return Task(1, "1-noop", Runnable("noop"), retries=retries, idempotent=idempotent)


HERE, ELSEWHERE, NO = Retry.HERE, Retry.ELSEWHERE, Retry.NO


@pytest.mark.parametrize(
    ("verdicts", "retries", "expected"),
    [
        # the test's own word: only if asked, and never for what counts as fine
        ([PASS], 9, NO),
        ([SKIP], 9, NO),
        ([WARN], 9, NO),
        ([FAIL], 0, NO),
        ([FAIL], 1, HERE),
        ([FAIL, FAIL], 1, NO),
        ([FAIL, FAIL], 2, HERE),
        ([FAIL, PASS], 9, NO),
        ([CRASH], 0, NO),
        ([CRASH], 1, HERE),
        ([TIMEOUT], 0, NO),
        ([TIMEOUT], 1, HERE),
        # one budget for all that is the test's own
        ([FAIL, TIMEOUT], 1, NO),
        ([FAIL, TIMEOUT, CRASH], 2, NO),
        ([FAIL, INFRA, TIMEOUT], 2, HERE),
        # can never work
        ([MALFORMED], 9, NO),
        # another environment
        ([UNMET], 0, ELSEWHERE),
        ([UNMET, UNMET], 9, NO),
        ([UNSUITABLE], 0, ELSEWHERE),
        ([UNSUITABLE] * 9, 0, ELSEWHERE),
        ([INFRA], 0, ELSEWHERE),
        ([INFRA, INFRA], 0, ELSEWHERE),
        ([INFRA, INFRA, INFRA], 9, NO),
        ([INFRA, FAIL, INFRA], 1, ELSEWHERE),
        # somebody wanted it to end
        ([CANCELLED], 9, NO),
        ([ORDERED], 9, NO),
        # the outcome cannot be known
        ([LOST], 9, NO),
    ],
    ids=lambda value: (
        "-".join(each.cause.value for each in value) if isinstance(value, list) else None
    ),
)
def test_whether_another_attempt_may_follow_depends_on_the_cause(verdicts, retries, expected):
    assert retry_after(task(retries), verdicts, ran=True) is expected


def test_every_cause_is_in_the_table_of_retries():
    causes = {PASS, CRASH, TIMEOUT, MALFORMED, UNMET, UNSUITABLE, INFRA, CANCELLED, LOST}
    assert {verdict.cause for verdict in causes} == set(Cause)


def test_what_could_not_be_started_may_be_started_in_the_same_place():
    assert retry_after(task(), [INFRA], ran=False) is HERE
    assert retry_after(task(), [INFRA] * 3, ran=False) is NO


def test_a_lost_attempt_is_repeated_once_if_that_does_no_harm():
    assert retry_after(task(idempotent=True), [LOST], ran=True) is HERE
    assert retry_after(task(idempotent=True), [LOST, LOST], ran=True) is NO


# What all attempts come to.


@pytest.mark.parametrize(
    "verdict",
    [PASS, WARN, SKIP, FAIL, CRASH, TIMEOUT, MALFORMED, UNMET, UNSUITABLE, INFRA, CANCELLED, LOST],
)
def test_a_single_attempt_speaks_for_itself(verdict):
    assert combine([verdict]) is verdict


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([FAIL, TIMEOUT], TIMEOUT),
        ([INFRA, FAIL], FAIL),
        ([INFRA, PASS], PASS),
        ([INFRA, SKIP], SKIP),
        ([LOST, PASS], PASS),
        ([UNSUITABLE, PASS], PASS),
        # a failure is replaced neither by what counts as fine ...
        ([FAIL, SKIP], FAIL),
        ([FAIL, CANCELLED], FAIL),
        ([FAIL, UNSUITABLE], FAIL),
        ([FAIL, UNMET], FAIL),
        # ... nor by trouble that is not the test's
        ([FAIL, INFRA], FAIL),
        ([TIMEOUT, INFRA, LOST], TIMEOUT),
        ([FAIL, ORDERED], FAIL),
        # trouble with the infrastructure is not hidden by there being no other place
        ([INFRA, UNSUITABLE], INFRA),
        ([INFRA, UNMET], INFRA),
        ([UNSUITABLE, UNMET], UNMET),
    ],
)
def test_a_failure_once_recorded_stays(verdicts, expected):
    assert combine(verdicts) is expected


@pytest.mark.parametrize(
    ("verdicts", "detail"),
    [
        ([FAIL, PASS], "flaky: FAIL before it passed on attempt 2: 1 != 2"),
        ([Verdict(Result.FAIL, Cause.TEST), PASS], "flaky: FAIL before it passed on attempt 2"),
        ([INFRA, CRASH, PASS], f"flaky: ERROR before it passed on attempt 3: {CRASH.detail}"),
        (
            [TIMEOUT, FAIL, PASS],
            f"flaky: INTERRUPT before it passed on attempt 3: {TIMEOUT.detail}",
        ),
        ([FAIL, WARN], f"flaky: FAIL before it passed on attempt 2: 1 != 2; {WARN.detail}"),
    ],
)
def test_a_pass_after_a_failure_is_a_warning_that_says_so(verdicts, detail):
    assert combine(verdicts) == Verdict(Result.WARN, Cause.TEST, detail)
