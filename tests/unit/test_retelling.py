"""A job as its console told it, and as its records tell it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from nrunner.errors import JournalError
from nrunner.record import replace
from nrunner.result import Cause, Result
from nrunner.retelling import Retelling
from nrunner.testing.sample import sample_report

FOLDER = Path("/results/job-1")
WALL = 1_800_000_000.0
JOB = {
    "type": "job",
    "format": 1,
    "id": "abc",
    "wall": WALL,
    "monotonic": 5.0,
    "total": 3,
    "command": ["nrunner", "run"],
}
CLOSED = {"type": "closed", "exit_code": 9, "elapsed": 2.5, "interrupted": "by the user"}


def planned(number: int, **limits: float) -> dict[str, Any]:
    return {
        "type": "planned",
        "task": number,
        "id": f"{number}-x",
        "runnable": {"kind": "exec-test", "uri": "x", "kwargs": {"more": 1}},
        "limits": {"timeout": None, "slow": None, "silence": None, "grace": 5.0, **limits},
    }


def moved(number: int, phase: str, time: float = 7.0) -> dict[str, Any]:
    return {"type": "move", "task": number, "attempt": 1, "phase": phase, "time": time}


def settled(number: int, result: Result = Result.PASS) -> dict[str, Any]:
    report = replace(sample_report(number), result=result, cause=Cause.TEST)
    # As a journal has it: written as JSON, and read again without knowing what it is.
    data = msgspec.json.decode(msgspec.json.encode(report))
    return {"type": "settled", "task": number, "report": data}


PLAN = [JOB, planned(1), planned(2, slow=2.0), planned(3)]
PAST = [*PLAN, moved(1, "STARTED"), settled(1, Result.FAIL), moved(2, "STARTED", 8.0)]


class Ears:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append((name, args))

    def heard(self, name: str) -> list[Any]:
        return [args[0] for each, args in self.calls if each == name]

    @property
    def order(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def ears() -> Ears:
    return Ears()


def retell(ears: Ears, records: list[dict[str, Any]], **options: Any) -> Retelling:
    retelling = Retelling(FOLDER, ears, clock=lambda: WALL + 60, **options)
    for record in records:
        retelling.take(record)
    return retelling


def test_records_are_told_in_their_order(ears):
    notice = {"type": "notice", "task": 2, "text": "2-x is slow"}
    retell(ears, [*PAST, notice, settled(2)])
    order = ["job_opened", "task_started", "task_settled", "task_started", "notice", "task_settled"]
    assert ears.order == order
    (job,) = ears.heard("job_opened")
    assert (job.id, job.folder, job.total, job.elapsed) == ("abc", FOLDER, 3, 60.0)
    assert sum(job.tally.values()) == 0
    assert ears.heard("notice") == ["2-x is slow"]


def test_a_report_is_told_as_it_was_written(ears):
    retell(ears, [*PLAN, settled(2, Result.WARN)])
    expected = replace(sample_report(2), result=Result.WARN, cause=Cause.TEST)
    assert ears.heard("task_settled") == [expected]


def test_a_started_task_is_told_with_what_a_footer_needs(ears):
    retell(ears, PAST)
    task, started = ears.calls[-1][1]
    assert (task.number, task.id, task.limits.slow, started) == (2, "2-x", 2.0, 8.0)


def test_silence_ends_with_how_things_stand(ears):
    retelling = retell(ears, [*PAST, moved(3, "STARTED"), moved(3, "FINISHED")], is_silent=True)
    retelling.flush()
    assert ears.calls == []
    retelling.speak()
    assert ears.order == ["job_opened", "task_started"]
    (job,) = ears.heard("job_opened")
    assert {result: count for result, count in job.tally.items() if count} == {Result.FAIL: 1}
    assert ears.heard("task_started")[0].number == 2
    retelling.take(settled(2))
    retelling.flush()
    assert ears.order[2:] == ["task_settled", "flush"]


def test_the_end_is_told_after_what_was_noticed_at_the_end(ears):
    end = [*PAST, settled(2), settled(3), CLOSED, {"type": "notice", "text": "disk"}]
    retelling = retell(ears, [*end, {"type": "exit", "exit_code": 11}])
    assert retelling.is_whole
    assert retelling.finish() == 11
    assert ears.order[-3:] == ["notice", "job_closed", "flush"]
    (job,) = ears.heard("job_closed")
    assert (job.elapsed, job.exit_code, job.interrupted) == (2.5, 11, "by the user")
    assert (job.tally[Result.PASS], job.tally[Result.FAIL], job.causes[Cause.TEST]) == (2, 1, 3)


@pytest.mark.parametrize("records", [[], PAST, [*PAST, CLOSED, {"type": "resumed"}]])
def test_a_job_that_is_not_over_has_no_end_and_no_exit_code(ears, records):
    retelling = retell(ears, records)
    assert retelling.finish() is None
    assert not retelling.is_whole
    assert "job_closed" not in ears.order


def test_the_end_of_an_older_job_does_not_say_why_it_was_cut_short(ears):
    closed = {"type": "closed", "exit_code": 8, "elapsed": 1.0}
    assert retell(ears, [JOB, closed]).finish() == 8
    assert ears.heard("job_closed")[0].interrupted == ""


def test_records_of_other_sorts_are_passed_over(ears):
    retell(ears, [{"type": "met"}, {"type": "from the future", "task": "?"}])
    assert ears.calls == []


@pytest.mark.parametrize(
    "record",
    [
        {"type": "job"},
        moved(1, "NOWHERE"),
        moved(9, "STARTED"),
        {"type": "settled", "task": 1, "report": {"number": 1}},
    ],
)
def test_a_record_that_makes_no_sense_is_an_error_and_not_a_crash(ears, record):
    with pytest.raises(JournalError, match="understand its record"):
        retell(ears, [*PLAN, record])
