"""Every pair of phase and event: listed ones do what the table says, the others are refused."""

from __future__ import annotations

import itertools

import pytest

from nrunner.action import Move, StopAttempt
from nrunner.errors import InvalidTransition
from nrunner.event import (
    Begin,
    Broken,
    Cancelled,
    Closed,
    Ended,
    GivenUp,
    Met,
    NotStarted,
    Opened,
    Refused,
    Started,
    StopAll,
    TaskEvent,
    Triaged,
    Unmet,
    Usable,
)
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.phase import Phase
from nrunner.result import Cause, Result, Verdict
from nrunner.runnable import Runnable
from nrunner.task import Task
from tests.unit.machine_job import (
    CANCEL,
    FAIL,
    INFRA,
    INTERRUPT,
    PASS,
    SKIP,
    SLOW,
    UNSUITABLE,
    Job,
    job_at,
)

# Where a task may rest. It passes through the other phases within one event.
REST = (Phase.TRIAGING, Phase.PREPARING, Phase.READY, Phase.STARTING, Phase.STARTED)

EVENTS = {
    Triaged: lambda attempt: Triaged(99.0, 1, "here"),
    Refused: lambda attempt: Refused(99.0, 1, UNSUITABLE),
    Started: lambda attempt: Started(99.0, 1, attempt),
    NotStarted: lambda attempt: NotStarted(99.0, 1, attempt, SKIP),
    Ended: lambda attempt: Ended(99.0, 1, attempt, PASS),
    Broken: lambda attempt: Broken(99.0, 1, attempt, INFRA),
    Cancelled: lambda attempt: Cancelled(99.0, 1, CANCEL),
    Met: lambda attempt: Met(99.0, "here", SLOW.key),
    Unmet: lambda attempt: Unmet(99.0, "here", SLOW.key, SKIP),
    StopAll: lambda attempt: StopAll(99.0, CANCEL, INTERRUPT),
    Begin: lambda attempt: Begin(99.0),
    # About places that are not pooled: never in place.
    Opened: lambda attempt: Opened(99.0, "here"),
    Closed: lambda attempt: Closed(99.0, "here", "why"),
    Usable: lambda attempt: Usable(99.0, "here"),
    GivenUp: lambda attempt: GivenUp(99.0, "here", "why"),
}
IGNORED = "ignored"
UNMOVED = "unmoved"
STOPPED = "stopped"

# What an event does: the moves that the task makes, or nothing. All other pairs are bugs.
TABLE = {
    (Phase.TRIAGING, Triaged): [Phase.READY, Phase.STARTING],
    (Phase.TRIAGING, Refused): [Phase.DISCARDED],
    (Phase.STARTING, Started): [Phase.STARTED],
    (Phase.STARTING, NotStarted): [Phase.FAILED_TO_START, Phase.TRIAGING],
    (Phase.STARTING, Broken): [Phase.FAILED_TO_START, Phase.TRIAGING],
    (Phase.STARTED, Ended): [Phase.FINISHED],
    (Phase.STARTED, Broken): [Phase.INTERRUPTED, Phase.TRIAGING],
    **{
        (phase, event): IGNORED
        for phase in (Phase.TRIAGING, Phase.PREPARING, Phase.READY)
        for event in (Started, NotStarted, Ended, Broken)
    },
    **{
        (phase, event): [Phase.DISCARDED]
        for phase in (Phase.TRIAGING, Phase.PREPARING, Phase.READY)
        for event in (Cancelled, StopAll)
    },
    **{
        (phase, event): STOPPED
        for phase in (Phase.STARTING, Phase.STARTED)
        for event in (Cancelled, StopAll)
    },
    **{(phase, event): UNMOVED for phase in REST for event in (Met, Unmet)},
    (Phase.PREPARING, Met): [Phase.READY, Phase.STARTING],
    (Phase.PREPARING, Unmet): [Phase.TRIAGING],
}


@pytest.mark.parametrize("phase", REST)
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_does_what_the_table_lists_for_the_phase(phase, event):
    job = job_at(phase)
    state = job.machine.state(1)
    expected = TABLE.get((phase, event))
    if expected is None:
        with pytest.raises(InvalidTransition):
            job.machine.handle(EVENTS[event](state.attempt))
        return
    actions = job.machine.handle(EVENTS[event](state.attempt))
    moves = [each.phase for each in actions if isinstance(each, Move)]
    assert moves == (expected if isinstance(expected, list) else [])
    assert job.machine.ignored == (expected == IGNORED)
    assert any(isinstance(each, StopAttempt) for each in actions) == (expected == STOPPED)
    if expected in (IGNORED, UNMOVED):
        assert actions == []


def test_the_machine_handles_no_pair_that_is_not_tested():
    assert set(Machine.task_handlers) == {
        pair for pair in TABLE if pair[1] not in Machine.job_handlers
    }
    assert set(EVENTS) == {event for _, event in Machine.task_handlers} | set(Machine.job_handlers)


@pytest.mark.parametrize(
    ("phase", "event"),
    [
        pair
        for pair in itertools.product(REST, EVENTS)
        if pair not in TABLE and issubclass(pair[1], TaskEvent)
    ],
)
def test_an_event_out_of_place_is_refused_with_the_history_of_the_task(phase, event):
    job = job_at(phase)
    state = job.machine.state(1)
    with pytest.raises(InvalidTransition) as caught:
        job.machine.handle(EVENTS[event](state.attempt))
    assert str(caught.value) == f"1-noop: {event.__name__} after {state.story}"
    assert state.story.startswith("REQUESTED -> TRIAGING")
    assert state.story.endswith(phase.value)


@pytest.mark.parametrize("event", [each for each in EVENTS if each not in Machine.job_handlers])
def test_news_of_a_settled_task_are_counted_and_change_nothing(event):
    job = job_at(Phase.STARTED)
    job.ended(1)
    assert job.machine.handle(EVENTS[event](1)) == []
    assert job.machine.ignored == 1
    assert job.machine.verdict(1) == Verdict(Result.PASS, Cause.TEST)


@pytest.mark.parametrize(
    "event", [each for each in EVENTS if each not in (*Machine.job_handlers, Cancelled)]
)
def test_news_of_a_task_that_is_not_requested_yet_are_refused(event):
    job = Job()
    with pytest.raises(InvalidTransition, match=f"1-noop is not requested yet: {event.__name__}"):
        job.machine.handle(EVENTS[event](1))


def test_news_of_a_task_that_does_not_exist_are_refused():
    job = Job()
    with pytest.raises(InvalidTransition, match="there is no task 7: Triaged"):
        job.feed(Triaged, 7, "here")


def test_cancelling_a_task_that_does_not_exist_does_nothing():
    job = Job()
    assert job.feed(Cancelled, 7, CANCEL) == []
    assert job.machine.ignored == 1


@pytest.mark.parametrize("phase", REST)
def test_news_of_an_attempt_that_was_never_made_are_refused(phase):
    job = job_at(phase)
    attempt = job.machine.state(1).attempt + 1
    with pytest.raises(InvalidTransition, match=f"1-noop: Ended of attempt {attempt} after REQ"):
        job.ended(1, attempt=attempt)


def test_news_of_an_earlier_attempt_are_counted_and_change_nothing():
    job = Job(retries=1)
    job.feed(Begin)
    job.triaged(1)
    job.started(1)
    job.ended(1, FAIL)
    job.started(1, attempt=2)
    for event in (Started, NotStarted, Ended, Broken):
        assert job.machine.handle(EVENTS[event](1)) == []
    assert job.machine.ignored == 4
    assert job.phase() is Phase.STARTED


def test_a_job_begins_only_once():
    job = Job()
    job.feed(Begin)
    with pytest.raises(InvalidTransition, match="the job has begun already"):
        job.feed(Begin)


def test_two_tasks_cannot_have_the_same_number():
    twice = Task(1, "1-noop", Runnable("noop"))
    with pytest.raises(ValueError, match="same number"):
        Machine([twice, twice], Limits(1))


def test_a_job_without_tasks_is_done_before_it_begins():
    job = Job(0)
    assert job.machine.is_done
    assert job.feed(Begin) == []
