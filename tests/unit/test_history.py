"""What a journal tells of a job: each record, and each that is missing what belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from nrunner.errors import JournalError
from nrunner.history import History, job_record, past_states, planned_record
from nrunner.journal import FORMAT, Journal, read_records
from nrunner.phase import Phase
from nrunner.plan import JobPlan, ReportTarget
from nrunner.result import Cause, Result, Verdict
from nrunner.results.base import AttemptReport
from nrunner.runnable import Runnable
from nrunner.task import Task, TaskLimits
from nrunner.testing.sample import sample_report

FIXTURES = Path(__file__).parents[1] / "fixtures" / "journals"
BASE = 100.0


def task(number: int, **more: Any) -> Task:
    return Task(number, f"{number}-x", Runnable("exec-test", "x"), "x", **more)


def plan(*tasks: Task, **more: Any) -> JobPlan:
    return JobPlan(tasks, Path("/srv"), Path("/results"), ("nrunner", "run", "x"), **more)


def head(plan: JobPlan) -> dict[str, Any]:
    return job_record(
        plan, job_format=FORMAT, job_id="abc", wall=1000.0, monotonic=BASE, boot="this"
    )


def move(phase: Phase, *, attempt: int = 1, time: float = 0.0, **more: Any) -> dict[str, Any]:
    return {
        "type": "move",
        "task": 1,
        "attempt": attempt,
        "phase": phase.value,
        "time": BASE + time,
        **more,
    }


WAY = (
    move(Phase.TRIAGING, attempt=0, time=1),
    move(Phase.READY, attempt=0, time=2),
    move(Phase.STARTING, time=3, place="here"),
    move(Phase.STARTED, time=4),
    move(Phase.FINISHED, time=5),
)


def attempt(number: int = 1, cause: Cause = Cause.INFRA) -> dict[str, Any]:
    report = AttemptReport(number, "here", Result.ERROR, cause, "why", 1004.0, 1005.0, 1.0)
    return {"type": "attempt", "task": 1, "report": report, "alone": True}


RESUMED = {"type": "resumed", "epoch": 2, "boot_id": "this", "monotonic": BASE, "time": BASE + 9}


def history(*records: Any, tasks: tuple[Task, ...] = (task(1),)) -> History:
    """Return what a job's records tell, after they went through JSON."""
    found = History()
    for record in (head(plan(*tasks)), *map(planned_record, tasks), *records):
        found.visit(msgspec.json.decode(msgspec.json.encode(record)))
    return found


def test_the_plan_comes_back_as_it_was(tmp_path):
    tasks = (
        task(1, limits=TaskLimits(3.0, 1.0, None, 2.0), retries=2),
        task(2, suite="s", idempotent=True, series="m"),
    )
    wanted = plan(
        *tasks,
        spawner="fake",
        max_parallel=3,
        job_timeout=9.0,
        fail_fast=True,
        payload_env={"A": "b"},
        config={"runner.python": "/p", "spawner.x": [1]},
        writers=("json",),
        reports=(ReportTarget("tap", "-"), ReportTarget("json", "/out.json")),
        suites_in_order=False,
        facts={"shuffle_seed": 4},
    )
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([head(wanted), *map(planned_record, tasks)])
    found = History()
    for record in read_records(journal.path):
        found.visit(record)
    assert found.is_planned
    assert found.plan(Path("/results/job-1")) == wanted


def test_reports_go_where_they_were_asked_for_wherever_somebody_goes_on():
    found = History()
    record = head(plan(reports=(ReportTarget("json", "out.json"),)))
    found.visit(msgspec.json.decode(msgspec.json.encode(record)))
    (report,) = found.plan(Path("/results/job-1")).reports
    assert report.target == "/srv/out.json"


@pytest.mark.parametrize("uri", ["caf\udce9", "a\nb", "\N{SNOWMAN}"], ids=ascii)
def test_a_name_comes_back_whatever_is_in_it(tmp_path, uri):
    odd = Task(1, "1-odd", Runnable("exec-test", uri), uri)
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([head(plan(odd)), planned_record(odd)])
    found = History()
    Journal.reopen(journal.path, found.visit).close()
    assert found.tasks == [odd]


def test_a_plan_that_was_cut_off_is_none():
    found = History()
    tasks = (task(1), task(2))
    for record in (head(plan(*tasks)), planned_record(tasks[0])):
        found.visit(msgspec.json.decode(msgspec.json.encode(record)))
    assert not found.is_planned


def settled_down(*records: Any) -> Any:
    found = history(*records)
    found.settle_down()
    return found.open.get(1)


@pytest.mark.parametrize(
    ("known", "phase"),
    [
        (1, Phase.REQUESTED),
        (2, Phase.READY),
        (3, Phase.STARTING),
        (4, Phase.STARTED),
        (5, Phase.STARTED),
    ],
)
def test_what_was_on_its_way_is_asked_for_again(known, phase):
    past = settled_down(*WAY[:known])
    assert past.phase is phase
    assert past.is_running == (phase in (Phase.STARTING, Phase.STARTED))
    assert past.place == ("here" if past.is_running else "")


def test_an_attempt_that_is_over_and_recorded_stays_so():
    past = settled_down(*WAY, attempt())
    assert past.phase is Phase.FINISHED
    assert past.alone
    assert [each.detail for each in past.attempts] == ["why"]


def test_a_discard_without_its_verdict_has_not_happened():
    past = settled_down(*WAY[:2], move(Phase.DISCARDED, attempt=0, time=3))
    assert past.phase is Phase.READY


def test_a_task_with_a_verdict_is_not_open():
    report = sample_report(number=1)
    found = history(*WAY, {"type": "settled", "task": 1, "report": report})
    assert found.open == {}
    assert found.verdicts == {1: Verdict(report.result, report.cause, report.detail)}


def test_controllers_that_died_while_an_attempt_was_starting_are_counted():
    assert settled_down(*WAY[:3]).crashes == 1
    assert settled_down(*WAY[:3], RESUMED).crashes == 2
    assert settled_down(*WAY[:3], RESUMED, WAY[3]).crashes == 1
    again = move(Phase.STARTING, attempt=2, place="here")
    assert settled_down(*WAY[:3], RESUMED, again).crashes == 1


def test_a_controller_that_went_on_for_a_while_did_not_die_of_what_was_starting():
    """The others in an agent's stock are starting, too, and for long."""
    other = {**move(Phase.STARTED, time=4), "task": 2}
    starting = {**move(Phase.STARTING, time=3, place="here"), "task": 2}
    found = history(*WAY[:3], starting, other, tasks=(task(1), task(2)))
    found.settle_down()
    assert found.open[1].crashes == 0


def test_environments_are_known_until_they_are_gone():
    here = {"type": "environment", "place": "here", "generation": 1, "address": {"pid": 7}}
    gone = {"type": "gone", "place": "here", "generation": 1}
    assert history(here).environments["here"].address == {"pid": 7}
    assert history(here, gone).environments == {}
    assert history(here, gone).generations == {"here": 1}
    newer = history(here, {**here, "generation": 2}, gone)
    assert newer.environments["here"].generation == 2


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], ""),
        ([{"type": "stopped", "reason": "by SIGTERM"}], "by SIGTERM"),
        # Before there were such records, only the end of a job told.
        ([{"type": "closed", "exit_code": 8, "interrupted": "by the user"}], "by the user"),
        ([{"type": "closed", "exit_code": 0}], ""),
    ],
)
def test_that_a_job_was_cut_short_stays_so_whoever_goes_on(records, why):
    assert history(*records).interrupted == why
    assert history(*records, RESUMED).interrupted == why
    assert history(*records, RESUMED, {"type": "stopped", "reason": "again"}).interrupted == (
        why or "again"
    )


def test_only_the_time_with_a_controller_counts_as_spent():
    late = {**RESUMED, "time": BASE + 500}
    found = history(*WAY[:4], late, move(Phase.FINISHED, time=507))
    found.settle_down()
    assert found.spent == 4 + 7
    assert found.epoch == 2


def test_states_are_told_by_the_clock_of_whoever_goes_on():
    found = history(*WAY, attempt(), move(Phase.READY, time=6))
    found.settle_down()
    (state,) = past_states(found, 5000.0)
    assert state.phase is Phase.READY
    assert state.is_restored
    assert state.entered[-1] == (Phase.READY, 5006.0)
    assert (state.attempts[0].started, state.attempts[0].ended) == (5004.0, 5005.0)
    assert state.avoid == ("here",)


def test_a_running_attempt_knows_since_when():
    found = history(*WAY[:4])
    found.settle_down()
    (state,) = past_states(found, 5000.0)
    assert (state.phase, state.started, state.place) == (Phase.STARTED, 5004.0, "here")
    assert not state.is_restored


@pytest.mark.parametrize(
    "record",
    [
        {"type": "move", "task": 99, "attempt": 1, "phase": "READY", "time": 1.0},
        {"type": "move", "task": 1, "attempt": 1, "phase": "NOWHERE", "time": 1.0},
        {"type": "attempt", "task": 1},
        {"type": "settled", "task": 1, "report": {}},
    ],
    ids=["no such task", "no such phase", "nothing open", "no result"],
)
def test_a_record_that_makes_no_sense_is_an_error_that_shows_it(record):
    with pytest.raises(JournalError, match=record["type"]):
        history(record)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_journals_of_every_format_there_was_are_read(path):
    found = History()
    for record in read_records(path):
        found.visit(record)
    assert found.is_planned
    assert found.closed is not None
    assert len(found.verdicts) == found.total == 5
    results = [verdict.result for _, verdict in sorted(found.verdicts.items())]
    assert results.count(Result.PASS) == 3


def test_a_format_that_lacks_the_plan_says_so():
    found = History()
    for record in read_records(FIXTURES / "format-1.jsonl"):
        found.visit(record)
    with pytest.raises(JournalError, match="format 1, which does not hold the plan"):
        found.plan(Path("/results/job-1"))


def test_what_became_known_while_it_ran_is_among_the_facts():
    history = History()
    history.visit(head(plan(task(1), facts={"shuffle_seed": 7})))
    history.visit({"type": "facts", "facts": {"messages": {"accepted": 3}}})
    assert history.facts == {"shuffle_seed": 7, "messages": {"accepted": 3}}
