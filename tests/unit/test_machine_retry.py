"""Trying a task again: here, elsewhere, or alone."""

from __future__ import annotations

from nrunner.action import Fulfil, Settle, Start, Triage
from nrunner.event import (
    Begin,
    Broken,
    Cancelled,
    Met,
    NotStarted,
    Refused,
    Unmet,
)
from nrunner.phase import Phase
from nrunner.result import Cause, Result, Verdict
from tests.unit.machine_job import (
    CANCEL,
    FAIL,
    INFRA,
    SKIP,
    SLOW,
    UNSUITABLE,
    Job,
)


def test_a_retry_goes_to_the_back_of_the_queue():
    job = Job(3, most=1, retries=1)
    job.feed(Begin)
    job.triaged(1, 2, 3)
    job.started(1)
    job.ended(1, FAIL)
    assert job.started_now() == [2]
    job.started(2)
    job.ended(2)
    assert job.started_now() == [3]
    job.started(3)
    job.ended(3)
    assert job.seen(Start) == [Start(job.tasks[0], 2, "here")]
    job.started(1, attempt=2)
    job.ended(1, attempt=2)
    assert job.settled_now() == {
        1: Verdict(Result.WARN, Cause.TEST, "flaky: FAIL before it passed on attempt 2: it failed")
    }
    (settle,) = job.seen(Settle)
    assert [each.verdict.result for each in settle.attempts] == [Result.FAIL, Result.PASS]


def test_a_lost_environment_leads_to_another_one():
    job = Job(places=("here", "there"))
    job.feed(Begin)
    job.triaged(1)
    job.started(1)
    job.feed(Broken, 1, 1, INFRA)
    assert job.seen(Triage) == [Triage(job.tasks[0], ("here",))]
    job.triaged(1, place="there")
    assert job.seen(Start) == [Start(job.tasks[0], 2, "there")]
    job.started(1, attempt=2)
    job.ended(1, attempt=2)
    assert job.settled_now() == {1: Verdict(Result.PASS, Cause.TEST)}


def test_a_place_that_cannot_start_it_is_borne_three_times():
    job = Job()
    job.feed(Begin)
    job.triaged(1)
    for attempt in (1, 2, 3):
        assert job.seen(Start) == [Start(job.tasks[0], attempt, "here")]
        job.feed(NotStarted, 1, attempt, INFRA)
    assert job.settled_now() == {1: INFRA}


def test_where_there_is_no_other_place_the_reason_at_the_first_one_is_told():
    job = Job()
    job.feed(Begin)
    job.triaged(1)
    job.feed(Broken, 1, 1, INFRA)
    job.feed(Refused, 1, Verdict(Result.SKIP, Cause.UNSUITABLE, "no other environment"))
    assert job.settled_now() == {1: INFRA}


def test_an_unmet_requirement_is_tried_elsewhere_once():
    job = Job(places=("a", "b", "c"))
    job.feed(Begin)
    job.triaged(1, place="a", needs=[SLOW])
    job.feed(Unmet, "a", SLOW.key, SKIP)
    assert job.seen(Triage) == [Triage(job.tasks[0], ("a",))]
    job.triaged(1, place="b", needs=[SLOW])
    assert job.seen(Fulfil) == [Fulfil("b", SLOW)]
    job.feed(Unmet, "b", SLOW.key, SKIP)
    assert job.settled_now() == {1: SKIP}


def test_an_unmet_requirement_is_the_verdict_where_there_is_no_other_place():
    job = Job()
    job.feed(Begin)
    job.triaged(1, needs=[SLOW])
    job.feed(Unmet, "here", SLOW.key, SKIP)
    job.feed(Refused, 1, UNSUITABLE)
    assert job.settled_now() == {1: SKIP}


def test_what_held_in_an_environment_does_not_hold_in_the_one_that_replaces_it():
    job = Job(2)
    job.feed(Begin)
    job.triaged(1, needs=[SLOW])
    job.feed(Met, "here", SLOW.key)
    job.feed(Broken, 1, 1, INFRA)
    job.triaged(2, needs=[SLOW])
    assert job.seen(Fulfil) == [Fulfil("here", SLOW)]
    assert job.phase(2) is Phase.PREPARING


def test_who_counted_on_what_held_in_a_lost_environment_is_triaged_again():
    job = Job(4, most=2)
    job.feed(Begin)
    job.triaged(1)
    job.triaged(2, 3, needs=[SLOW])
    job.feed(Met, "here", SLOW.key)
    job.triaged(4)
    assert [job.phase(number) for number in (1, 2, 3, 4)] == [
        *(Phase.STARTING, Phase.STARTING),
        *(Phase.READY, Phase.READY),
    ]
    job.feed(Broken, 1, 1, INFRA)
    assert job.seen(Triage) == [Triage(job.tasks[2]), Triage(job.tasks[0], ("here",))]
    assert job.started_now() == [4]
    job.triaged(3, needs=[SLOW])
    assert job.seen(Fulfil) == [Fulfil("here", SLOW)]


def test_a_retry_does_not_count_on_what_held_in_a_lost_environment():
    job = Job(2, retries=1)
    job.feed(Begin)
    job.triaged(1)
    job.triaged(2, needs=[SLOW])
    job.feed(Met, "here", SLOW.key)
    job.started(1, 2)
    job.feed(Broken, 1, 1, INFRA)
    job.ended(2, FAIL)
    assert job.seen(Triage) == [Triage(job.tasks[1])]


def test_a_late_word_while_the_retry_is_prepared_changes_nothing():
    job = Job(places=("here", "there"))
    job.feed(Begin)
    job.triaged(1)
    job.feed(Broken, 1, 1, INFRA)
    job.triaged(1, place="there", needs=[SLOW])
    assert job.ended(1) == []
    assert job.phase() is Phase.PREPARING


def test_what_ran_when_its_environment_died_is_tried_again_when_it_is_alone():
    job = Job(4, most=3)
    job.feed(Begin)
    job.triaged(1, 2, 3, 4)
    job.started(1, 2, 3)
    job.feed(Broken, 1, 1, INFRA)
    assert job.started_now() == [4]
    job.feed(Broken, 2, 1, INFRA)
    job.triaged(1, 2)
    job.ended(3)
    assert job.started_now() == []
    job.started(4)
    job.ended(4)
    assert job.started_now() == [1]
    job.started(1, attempt=2)
    job.ended(1, attempt=2)
    assert job.started_now() == [2]


def test_nothing_is_started_beside_what_is_tried_again_alone():
    job = Job(2, places=("here", "there"))
    job.feed(Begin)
    job.triaged(1)
    job.feed(Broken, 1, 1, INFRA)
    job.triaged(1)
    assert job.started_now() == [1]
    job.triaged(2)
    assert job.phase(2) is Phase.READY
    job.started(1, attempt=2)
    job.ended(1, attempt=2)
    assert job.started_now() == [2]


def test_elsewhere_goes_on_while_something_is_tried_again_alone():
    job = Job(2, places=("here", "there"))
    job.feed(Begin)
    job.triaged(1)
    job.feed(Broken, 1, 1, INFRA)
    job.triaged(1)
    job.triaged(2, place="there")
    assert job.started_now() == [2]


def test_a_task_that_waits_to_be_alone_can_be_cancelled():
    job = Job(2)
    job.feed(Begin)
    job.triaged(1, 2)
    job.feed(Broken, 1, 1, INFRA)
    job.triaged(1)
    assert job.phase(1) is Phase.READY
    job.feed(Cancelled, 1, CANCEL)
    assert job.settled_now() == {1: INFRA}
    job.started(2)
    job.ended(2)
    assert job.started_now() == []
    assert job.machine.is_done
