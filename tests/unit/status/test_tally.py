from __future__ import annotations

import sys

import pytest

from nrunner.errors import ExitCode
from nrunner.result import Cause, Result, Verdict
from nrunner.status.tally import Tally


def tally_of(*results: Result, planned: int | None = None, cause: Cause = Cause.TEST) -> Tally:
    tally = Tally(len(results) if planned is None else planned)
    for result in results:
        tally.add(Verdict(result, cause))
    return tally


def test_a_new_tally_counts_nothing_and_everything_remains() -> None:
    tally = Tally(3)

    assert tally.remaining == tally.planned == 3
    assert tally.settled == 0
    assert dict(tally.results) == dict.fromkeys(Result, 0)
    assert dict(tally.causes) == dict.fromkeys(Cause, 0)


def test_results_and_causes_are_counted_apart() -> None:
    tally = Tally(3)
    tally.add(Verdict(Result.INTERRUPT, Cause.TIMEOUT, "past its 1 s limit"))
    tally.add(Verdict(Result.INTERRUPT, Cause.CANCELLED))
    tally.add(Verdict(Result.PASS, Cause.TEST))

    assert tally.results[Result.INTERRUPT] == 2
    assert tally.results[Result.PASS] == 1
    assert tally.causes[Cause.TIMEOUT] == tally.causes[Cause.CANCELLED] == 1
    assert sum(tally.results.values()) == sum(tally.causes.values()) == tally.settled == 3


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Result.PASS, 0),
        (Result.SKIP, 0),
        (Result.WARN, 0),
        (Result.CANCEL, 0),
        (Result.FAIL, 1),
        (Result.ERROR, 1),
        (Result.INTERRUPT, 8),
    ],
)
def test_each_result_leads_to_its_exit_code(result: Result, code: int) -> None:
    assert tally_of(Result.PASS, result).exit_code(interrupted=False) == code


def test_exactly_the_results_that_are_ok_leave_the_exit_code_at_zero() -> None:
    for result in Result:
        code = tally_of(result).exit_code(interrupted=False)

        assert (code == ExitCode.OK) is result.is_ok


def test_bits_of_the_exit_code_add_up() -> None:
    tally = tally_of(Result.FAIL, Result.INTERRUPT, planned=3)

    assert tally.exit_code(interrupted=False) == 1 | 2 | 8


def test_a_timeout_alone_is_an_interruption_and_not_a_failed_test() -> None:
    tally = tally_of(Result.INTERRUPT, cause=Cause.TIMEOUT)

    assert tally.exit_code(interrupted=False) == ExitCode.INTERRUPTED


def test_an_interrupted_job_says_so_even_if_all_that_ran_passed() -> None:
    assert tally_of(Result.PASS).exit_code(interrupted=True) == ExitCode.INTERRUPTED


def test_a_task_without_a_verdict_is_a_failed_job() -> None:
    tally = tally_of(Result.PASS, planned=2)

    assert tally.missing == 1
    assert not tally.adds_up
    assert tally.exit_code(interrupted=False) == ExitCode.JOB_FAILED


def test_a_task_that_was_counted_twice_is_a_failed_job() -> None:
    tally = tally_of(Result.PASS, Result.PASS, planned=1)

    assert tally.missing == 0
    assert not tally.adds_up
    assert tally.exit_code(interrupted=False) == ExitCode.JOB_FAILED


def test_a_job_of_no_tasks_adds_up() -> None:
    assert Tally(0).exit_code(interrupted=False) == ExitCode.OK


def test_the_views_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        Tally(1).results[Result.PASS] = 5  # type: ignore[index]  # that is what is tested


def test_memory_does_not_grow_with_the_number_of_verdicts() -> None:
    tally = Tally(10_000)
    sizes = [sys.getsizeof(part) for part in vars(tally).values()]
    for _ in range(10_000):
        tally.add(Verdict(Result.PASS, Cause.TEST))

    after = [sys.getsizeof(part) for part in vars(tally).values()]
    assert sum(after) - sum(sizes) < 64
