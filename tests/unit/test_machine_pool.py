"""The machine with pooled places, by stories: who gets which, and what trouble there costs."""

from __future__ import annotations

from nrunner.action import Fulfil, OpenPlace, Release, Settle, Start, Triage
from nrunner.event import Begin, Broken, Closed, GivenUp, Met, NotStarted, Opened, Usable
from nrunner.phase import Phase
from nrunner.result import Cause, Result
from nrunner.taskstate import TaskState
from tests.unit.machine_job import FAIL, INFRA, SLOW, UNSUITABLE, Job


def job_of(count, *, places=("a", "b"), slots=1, **options):
    """Return a job whose tasks are triaged for all places, none of which is open."""
    pooled = dict.fromkeys(places, slots)
    job = Job(count, places=places, slots=slots, pooled=pooled, **options)
    job.feed(Begin)
    job.opened = []
    for number in range(1, count + 1):
        triage(job, number, *places)
        job.opened += job.seen(OpenPlace)
    return job


def triage(job, number, *places, needs=()):
    job.triaged(number, place=places[0], needs=needs, others=places[1:])


def starts(job):
    return [(each.task.number, each.place) for each in job.seen(Start)]


def test_places_are_opened_before_anything_starts_there():
    job = job_of(3)
    assert job.opened == [OpenPlace("a"), OpenPlace("b")]
    assert starts(job) == []
    job.feed(Opened, "b")
    assert starts(job) == [(1, "b")]
    job.feed(Opened, "a")
    assert starts(job) == [(2, "a")]


def test_the_next_task_goes_to_the_first_place_that_is_free_and_fits():
    job = job_of(4)
    job.feed(Opened, "a")
    job.feed(Opened, "b")
    job.started(1, 2)
    job.ended(2)
    assert starts(job) == [(3, "b")]
    job.started(3)
    job.ended(3)
    assert starts(job) == [(4, "b")]


def test_tasks_are_spread_before_a_place_gets_two():
    job = job_of(3, slots=2)
    job.feed(Opened, "a")
    assert starts(job) == [(1, "a"), (2, "a")]
    job.feed(Opened, "b")
    assert starts(job) == [(3, "b")]


def test_a_place_that_cannot_be_opened_costs_no_task_an_attempt():
    job = job_of(1)
    assert job.opened == [OpenPlace("a")]
    job.feed(Closed, "a", "unreachable")
    assert job.seen(OpenPlace) == [OpenPlace("b")]
    job.feed(Opened, "b")
    assert starts(job) == [(1, "b")]
    job.started(1)
    job.ended(1)
    (settle,) = job.seen(Settle)
    assert [each.environment for each in settle.attempts] == ["b"]


def test_a_place_that_is_usable_again_is_opened_for_who_still_waits():
    job = job_of(1, places=("a",))
    job.feed(Closed, "a", "unreachable")
    assert job.seen(OpenPlace) == []
    job.feed(Usable, "a")
    assert job.seen(OpenPlace) == [OpenPlace("a")]


def test_who_has_no_place_left_is_in_error_with_the_reasons():
    job = job_of(1)
    job.feed(Closed, "a", "unreachable")
    job.feed(GivenUp, "a", "unreachable for 60 s")
    assert job.seen(Settle) == []
    job.feed(GivenUp, "b", "another host key")
    assert job.seen(Triage) == [Triage(job.tasks[0], ())]
    triage(job, 1, "a", "b")
    (settle,) = job.seen(Settle)
    assert (settle.verdict.result, settle.verdict.cause) == (Result.ERROR, Cause.INFRA)
    assert settle.verdict.detail == (
        "no place is left: a: unreachable for 60 s; b: another host key"
    )
    assert settle.attempts == ()


def test_who_has_no_place_left_goes_to_one_where_it_was_before():
    job = job_of(1)
    job.feed(Opened, "a")
    job.started(1)
    job.feed(Closed, "a", "power cut")
    job.feed(Broken, 1, 1, INFRA)
    triage(job, 1, "b")
    job.feed(Usable, "a")
    job.feed(GivenUp, "b", "another host key")
    assert job.seen(Triage) == [Triage(job.tasks[0], ("a",))]
    triage(job, 1, "a")
    job.feed(Opened, "a")
    assert starts(job) == [(1, "a")]


def test_what_waits_at_a_place_in_trouble_goes_elsewhere_before_all_others():
    job = Job(4, places=("a", "b"), slots=2, pooled={"a": 2, "b": 2})
    job.feed(Begin)
    triage(job, 1, "a", "b", needs=(SLOW,))
    triage(job, 2, "a", "b", needs=(SLOW,))
    job.feed(Opened, "a")
    assert job.seen(Fulfil) == [Fulfil("a", SLOW)]
    triage(job, 3, "a", "b", needs=(SLOW,))
    job.feed(Closed, "a", "power cut")
    job.feed(Opened, "b")
    assert job.seen(Fulfil) == [Fulfil("b", SLOW)]
    job.feed(Met, "b", SLOW.key)
    assert starts(job) == [(1, "b"), (2, "b")]


def running_at(place, task):
    """Return the state of a task that an earlier controller saw begin at a place."""
    state = TaskState(task, 0.0)
    state.phase, state.attempt, state.place = Phase.STARTED, 1, place
    return state


def test_what_was_taken_over_and_waits_at_a_place_in_trouble_is_triaged():
    job = Job(2, places=("a",), slots=2, pooled={"a": 2}, series="s", retries=1)
    job.machine.restore({}, [running_at("a", job.tasks[0])])
    job.feed(Opened, "a")
    job.feed(Begin)
    triage(job, 2, "a")
    job.ended(1, FAIL)
    assert starts(job) == [(2, "a")]
    assert job.phase(1) is Phase.READY
    job.feed(Closed, "a", "power cut")
    assert job.seen(Triage) == [Triage(job.tasks[0], ())]
    job.feed(Usable, "a")
    triage(job, 1, "a")
    assert job.seen(OpenPlace) == [OpenPlace("a")]


def test_what_ran_at_a_place_that_is_gone_is_tried_at_another():
    job = job_of(1)
    job.feed(Opened, "a")
    job.started(1)
    job.feed(Closed, "a", "power cut")
    job.feed(Broken, 1, 1, INFRA)
    assert job.seen(Triage) == [Triage(job.tasks[0], ("a",))]
    triage(job, 1, "b")
    job.feed(Opened, "b")
    assert starts(job) == [(1, "b")]


def test_trouble_before_a_test_began_sends_it_elsewhere_too():
    job = job_of(1)
    job.feed(Opened, "a")
    job.feed(NotStarted, 1, 1, INFRA)
    assert job.seen(Triage) == [Triage(job.tasks[0], ("a",))]


def test_while_some_are_prepared_others_start_at_once():
    job = Job(3, places=("a",), slots=1, pooled={"a": 1})
    job.feed(Begin)
    triage(job, 1, "a", needs=(SLOW,))
    triage(job, 2, "a", needs=(SLOW,))
    triage(job, 3, "a")
    job.feed(Opened, "a")
    assert job.seen(Fulfil) == [Fulfil("a", SLOW)]
    assert starts(job) == [(3, "a")]


def test_a_place_is_released_once_nothing_more_can_run_there():
    job = job_of(2)
    job.feed(Opened, "a")
    job.feed(Opened, "b")
    job.started(1, 2)
    job.ended(1)
    assert job.seen(Release) == [Release("a")]
    job.feed(Closed, "b", "power cut")
    job.feed(Broken, 2, 1, INFRA)
    triage(job, 2, "a")
    assert job.seen(OpenPlace) == [OpenPlace("a")]
    job.feed(Opened, "a")
    assert starts(job) == [(2, "a")]


def test_what_held_at_a_place_that_was_released_is_fulfilled_anew():
    job = Job(2, places=("a", "b"), slots=1, pooled={"a": 1, "b": 1})
    job.feed(Begin)
    triage(job, 1, "a", needs=(SLOW,))
    job.feed(Opened, "a")
    job.feed(Met, "a", SLOW.key)
    triage(job, 2, "b")
    job.feed(Opened, "b")
    job.started(1, 2)
    job.ended(1)
    assert job.seen(Release) == [Release("a")]
    job.feed(Closed, "b", "power cut")
    job.feed(Broken, 2, 1, INFRA)
    triage(job, 2, "a", needs=(SLOW,))
    job.feed(Opened, "a")
    assert job.seen(Fulfil) == [Fulfil("a", SLOW)]


def test_what_suits_no_place_is_not_tried_for_ever_in_ever_new_environments():
    job = job_of(1)
    job.feed(Opened, "a")
    job.feed(NotStarted, 1, 1, UNSUITABLE)
    triage(job, 1, "b")
    job.feed(Opened, "b")
    job.feed(NotStarted, 1, 2, UNSUITABLE)
    triage(job, 1, "a")
    if not starts(job):
        job.feed(Opened, "a")
    job.feed(NotStarted, 1, 3, UNSUITABLE)
    assert job.settled_now() == {1: UNSUITABLE}


def test_a_place_is_released_that_suits_none_of_those_who_are_left():
    job = Job(3, places=("a", "b"), slots=1, pooled={"a": 1, "b": 1})
    job.feed(Begin)
    triage(job, 1, "a")
    triage(job, 2, "b")
    job.feed(Opened, "a")
    job.feed(Opened, "b")
    job.started(1, 2)
    job.ended(1)
    assert job.seen(Release) == []  # the third may want any
    triage(job, 3, "b")
    assert job.seen(Release) == [Release("a")]
    job.ended(2)
    assert starts(job) == [(3, "b")]
    assert job.seen(Release) == []
