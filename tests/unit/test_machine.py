"""The machine, by stories: one task's way, who may go when, ending early."""

from __future__ import annotations

import pytest

from nrunner.action import Fulfil, Move, Settle, Start, StopAttempt, StopFulfilment, Triage
from nrunner.ending import Ending, Stop
from nrunner.event import (
    Begin,
    Broken,
    Cancelled,
    Met,
    NotStarted,
    StopAll,
    Triaged,
    Unmet,
)
from nrunner.phase import Phase
from nrunner.result import Cause, Result, Verdict
from nrunner.runnable import Requirement
from nrunner.settlement import LeakPolicy, never_started
from tests.unit.machine_job import (
    CANCEL,
    FAIL,
    INFRA,
    INTERRUPT,
    PASS,
    SKIP,
    SLOW,
    Job,
    job_at,
)

# One task's way.


def test_a_task_that_passes_goes_straight_through():
    job = Job()
    job.feed(Begin)
    assert job.seen(Triage) == [Triage(job.tasks[0])]
    job.feed(Triaged, 1, "here", (SLOW,))
    assert job.seen(Fulfil) == [Fulfil("here", SLOW)]
    job.feed(Met, "here", SLOW.key)
    assert job.seen(Start) == [Start(job.tasks[0], 1, "here")]
    job.started(1)
    job.ended(1)
    (settle,) = job.seen(Settle)
    assert settle.verdict == Verdict(Result.PASS, Cause.TEST)
    assert settle.place == "here"
    assert settle.phases == (
        (Phase.REQUESTED, 1.0),
        (Phase.TRIAGING, 1.0),
        (Phase.PREPARING, 2.0),
        (Phase.READY, 3.0),
        (Phase.STARTING, 3.0),
        (Phase.STARTED, 4.0),
        (Phase.FINISHED, 5.0),
    )
    (attempt,) = settle.attempts
    assert (attempt.number, attempt.environment) == (1, "here")
    assert (attempt.started, attempt.ended) == (4.0, 5.0)
    assert attempt.ending is PASS
    assert job.machine.is_done
    assert job.limits.taken == 0


def test_moves_tell_attempt_phase_and_time():
    job = job_at(Phase.STARTED)
    job.ended(1)
    assert job.seen(Move) == [Move(1, 1, Phase.FINISHED, 4.0)]


@pytest.mark.parametrize(
    ("leak", "result"),
    [
        (LeakPolicy.IGNORE, Result.PASS),
        (LeakPolicy.WARN, Result.WARN),
        (LeakPolicy.FAIL, Result.FAIL),
    ],
)
def test_what_a_leaked_process_means_is_a_matter_of_policy(leak, result):
    job = job_at(Phase.STARTED, leak=leak)
    job.ended(1, Ending(Result.PASS, leaks=({"pid": 7, "command": "sleep"},)))
    assert job.machine.verdict(1).result is result


# Who may go when.


def test_a_slow_preparation_holds_nobody_up():
    job = Job(2, most=1)
    job.feed(Begin)
    job.triaged(1, needs=[SLOW])
    job.triaged(2)
    assert job.started_now() == [2]
    job.started(2)
    job.ended(2)
    assert job.machine.verdict(2).result is Result.PASS
    assert job.phase(1) is Phase.PREPARING


def test_slow_preparations_do_not_use_up_the_lookahead():
    job = Job(10, most=1, lookahead=1)
    job.feed(Begin)
    for number in range(1, 10):
        job.triaged(number, needs=[SLOW])
    job.triaged(10)
    assert job.started_now() == [10]


def test_tasks_that_wait_for_a_full_place_do_not_keep_others_from_a_free_one():
    job = Job(20, most=2, lookahead=0, places=("here", "there"), slots=1)
    job.feed(Begin)
    for number in range(1, 20):
        job.triaged(number, place="here")
    job.triaged(20, place="there")
    assert job.started_now() == [20]


def test_no_more_is_triaged_than_can_be_used_soon():
    job = Job(100, most=2, lookahead=3)
    assert len([each for each in job.feed(Begin) if isinstance(each, Triage)]) == 5
    for number in range(1, 8):
        job.triaged(number)
    assert job.limits.taken == 2
    waiting = [each for each in job.machine.active() if each.phase is Phase.READY]
    assert len(waiting) == 5
    job.triaged(8, 9, 10, 11)
    assert job.seen(Triage) == []


def test_tasks_start_in_the_order_in_which_they_became_ready():
    job = Job(4, most=1)
    job.feed(Begin)
    job.triaged(3, 1, 4, 2)
    order = job.started_now() or [3]
    for _ in range(3):
        job.started(order[-1])
        job.ended(order[-1])
        order += job.started_now()
    assert order == [3, 1, 4, 2]


def test_a_place_takes_no_more_than_its_slots_while_another_goes_on():
    job = Job(4, places=("here", "there"), slots=1)
    job.feed(Begin)
    job.triaged(1, 2, place="here")
    job.triaged(3, 4, place="there")
    running = [each.task.number for each in job.machine.active() if each.phase is Phase.STARTING]
    assert running == [1, 3]


def test_a_shared_requirement_is_fulfilled_once_for_all_who_need_it():
    job = Job(3)
    job.feed(Begin)
    fulfilments = []
    for number in (1, 2, 3):
        job.triaged(number, needs=[SLOW])
        fulfilments += job.seen(Fulfil)
    assert fulfilments == [Fulfil("here", SLOW)]
    job.feed(Met, "here", SLOW.key)
    assert job.started_now() == [1, 2, 3]


def test_what_is_fulfilled_for_nobody_any_more_is_ended_and_begun_anew_for_who_comes():
    job = Job(3)
    job.feed(Begin)
    job.triaged(1, 2, needs=[SLOW])
    job.feed(Cancelled, 1, CANCEL)
    assert job.seen(StopFulfilment) == []
    job.feed(Cancelled, 2, CANCEL)
    assert job.seen(StopFulfilment) == [StopFulfilment("here", SLOW.key)]
    job.triaged(3, needs=[SLOW])
    assert job.seen(Fulfil) == [Fulfil("here", SLOW)]


def test_what_else_a_task_waits_for_is_ended_once_it_cannot_be_prepared():
    other = Requirement("package", "no-such")
    job = Job(2)
    job.feed(Begin)
    job.triaged(1, needs=[SLOW, other])
    job.triaged(2, needs=[other])
    job.feed(Unmet, "here", other.key, SKIP)
    assert job.seen(StopFulfilment) == [StopFulfilment("here", SLOW.key)]


def test_suites_go_one_after_another():
    job = Job(4, suites=["a", "b", "a", "b"])
    job.feed(Begin)
    assert [each.task.number for each in job.seen(Triage)] == [1, 3]
    job.triaged(1, 3)
    job.started(1, 3)
    job.ended(1)
    assert job.seen(Triage) == []
    job.ended(3, FAIL)
    assert [each.task.number for each in job.seen(Triage)] == [2, 4]


def test_suites_go_together_where_their_order_does_not_matter():
    job = Job(4, suites=["a", "b", "a", "b"], in_order=False)
    job.feed(Begin)
    assert [each.task.number for each in job.seen(Triage)] == [1, 2, 3, 4]


def test_cancelling_all_of_a_suite_before_its_turn_does_not_stop_the_next():
    job = Job(3, suites=["a", "b", "c"])
    job.feed(Begin)
    job.feed(Cancelled, 2, CANCEL)
    assert job.settled_now() == {2: CANCEL}
    job.triaged(1)
    job.started(1)
    job.ended(1)
    assert [each.task.number for each in job.seen(Triage)] == [3]


def test_a_task_can_be_cancelled_before_the_job_begins():
    job = Job(2, suites=["a", "b"])
    job.feed(Cancelled, 1, CANCEL)
    assert job.settled_now() == {1: CANCEL}
    assert job.seen(Triage) == []
    job.feed(Begin)
    assert [each.task.number for each in job.seen(Triage)] == [2]


# Ending early.


@pytest.mark.parametrize("phase", [Phase.TRIAGING, Phase.PREPARING, Phase.READY])
def test_a_cancelled_waiting_task_is_discarded_at_once(phase):
    job = job_at(phase)
    job.feed(Cancelled, 1, CANCEL)
    assert job.settled_now() == {1: CANCEL}
    assert job.limits.taken == 0
    assert job.machine.is_done


def test_a_cancelled_ready_task_leaves_the_queue_to_others():
    job = Job(3, most=1)
    job.feed(Begin)
    job.triaged(1, 2, 3)
    job.feed(Cancelled, 2, CANCEL)
    job.started(1)
    job.ended(1)
    assert job.started_now() == [3]


def test_a_cancelled_running_task_is_asked_once_and_then_killed_once():
    job = job_at(Phase.STARTED)
    asked = [StopAttempt(1, 1, "here", False)]
    killed = [StopAttempt(1, 1, "here", True)]
    assert job.feed(Cancelled, 1, INTERRUPT, False) == asked
    assert job.feed(Cancelled, 1, INTERRUPT, False) == []
    assert job.feed(Cancelled, 1, INTERRUPT, True) == killed
    assert job.feed(Cancelled, 1, INTERRUPT, True) == []
    assert job.feed(Cancelled, 1, INTERRUPT, False) == []


def test_the_first_reason_to_stop_is_the_one_that_is_told():
    job = job_at(Phase.STARTED)
    job.feed(Cancelled, 1, INTERRUPT)
    job.feed(StopAll, CANCEL, Verdict(Result.INTERRUPT, Cause.TIMEOUT, "job limit"))
    job.ended(1, Ending(None, stop=Stop.CANCELLED))
    assert job.settled_now() == {1: INTERRUPT}


def test_a_task_that_ends_by_itself_before_it_is_stopped_keeps_its_word():
    job = job_at(Phase.STARTED)
    job.feed(Cancelled, 1, INTERRUPT)
    job.ended(1, FAIL)
    assert job.settled_now() == {1: Verdict(Result.FAIL, Cause.TEST, "it failed")}


def test_a_task_that_was_cancelled_is_not_tried_again():
    job = job_at(Phase.STARTED, retries=5)
    job.feed(Cancelled, 1, INTERRUPT)
    job.ended(1, FAIL)
    assert job.machine.is_done


def test_a_task_cancelled_while_it_starts_is_interrupted_where_it_may_have_run():
    job = job_at(Phase.STARTING)
    job.feed(Cancelled, 1, INTERRUPT)
    job.feed(Broken, 1, 1, INFRA)
    assert job.settled_now() == {1: INTERRUPT}


def test_a_task_cancelled_before_its_turn_was_not_interrupted():
    job = job_at(Phase.STARTING)
    job.feed(Cancelled, 1, INTERRUPT)
    job.feed(NotStarted, 1, 1, INFRA)
    assert job.settled_now() == {1: never_started(INTERRUPT)}


def test_a_failure_is_not_forgotten_when_the_retry_is_cancelled():
    for place in (10, 0):
        job = Job(retries=1)
        job.feed(Begin)
        job.triaged(1)
        job.started(1)
        job.limits.set_place("here", place)
        job.ended(1, FAIL)
        if job.phase() is Phase.STARTING:
            job.feed(Cancelled, 1, CANCEL)
            job.feed(NotStarted, 1, 2, INFRA)
        else:
            job.feed(Cancelled, 1, CANCEL)
        assert job.settled_now() == {1: Verdict(Result.FAIL, Cause.TEST, "it failed")}


def test_stopping_the_job_discards_what_waits_and_stops_what_runs():
    job = Job(5, most=2, lookahead=1, suites=["a", "a", "a", "a", "b"])
    job.feed(Begin)
    job.triaged(1, 2)
    job.started(1)
    job.feed(StopAll, CANCEL, INTERRUPT)
    assert job.settled_now() == dict.fromkeys((3, 4), CANCEL)
    assert job.seen(StopAttempt) == [
        StopAttempt(1, 1, "here", False),
        StopAttempt(2, 1, "here", False),
    ]
    job.ended(1, Ending(None, stop=Stop.CANCELLED))
    job.feed(NotStarted, 2, 1, INFRA)
    assert job.settled_now() == {2: never_started(INTERRUPT), 5: CANCEL}
    assert job.machine.verdict(1) == INTERRUPT
    assert job.machine.is_done


def test_stopping_the_job_before_it_begins_discards_everything_when_it_does():
    job = Job(3, suites=["a", "b", "c"])
    job.feed(StopAll, CANCEL, INTERRUPT)
    job.feed(Begin)
    assert job.settled_now() == dict.fromkeys((1, 2, 3), CANCEL)


def test_fail_fast_lets_running_tasks_finish_and_discards_the_others():
    job = Job(5, most=2, lookahead=1, fail_fast=True, retries=1)
    job.feed(Begin)
    job.triaged(1, 2, 3)
    job.started(1, 2)
    job.ended(1, Ending(None, "no such kind", malformed=True))
    why = Verdict(Result.CANCEL, Cause.CANCELLED, "not started: 1-noop ended ERROR (fail-fast)")
    settled = job.settled_now()
    assert settled.pop(1).cause is Cause.MALFORMED
    assert settled == dict.fromkeys((3, 4, 5), why)
    assert job.seen(StopAttempt) == []
    job.ended(2, FAIL)
    assert job.settled_now() == {2: Verdict(Result.FAIL, Cause.TEST, "it failed")}
    assert job.machine.is_done


def test_fail_fast_waits_for_the_retries_of_a_failure():
    job = Job(2, most=1, fail_fast=True, retries=1)
    job.feed(Begin)
    job.triaged(1, 2)
    job.started(1)
    job.ended(1, FAIL)
    assert job.started_now() == [2]


def test_fail_fast_survives_a_preparation_that_fails_several_tasks():
    job = Job(3, fail_fast=True)
    job.feed(Begin)
    job.triaged(1, 2, 3, needs=[SLOW])
    malformed = Verdict(Result.ERROR, Cause.MALFORMED, "no such requirement")
    job.feed(Unmet, "here", SLOW.key, malformed)
    assert job.machine.verdict(1) == malformed
    assert job.machine.is_done


def test_a_dry_run_starts_nothing():
    job = Job(3, suites=["a", "b", "b"], dry_run=True)
    job.feed(Begin)
    dry = Verdict(Result.CANCEL, Cause.CANCELLED, "dry run")
    assert job.settled_now() == dict.fromkeys((1, 2, 3), dry)
    assert job.machine.is_done
    assert job.seen(Triage) == []
