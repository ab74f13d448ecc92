"""A machine with a few tasks, and short ways to tell it what happens."""

from __future__ import annotations

from nrunner.action import Settle, Start
from nrunner.ending import Ending
from nrunner.event import (
    Begin,
    Ended,
    Started,
    Triaged,
)
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.phase import Phase
from nrunner.result import Cause, Result, Verdict
from nrunner.runnable import Requirement, Runnable
from nrunner.task import Task

SLOW = Requirement("package", "slow-to-install")
PASS = Ending(Result.PASS)
FAIL = Ending(Result.FAIL, "it failed")
CANCEL = Verdict(Result.CANCEL, Cause.CANCELLED, "by a person")
INTERRUPT = Verdict(Result.INTERRUPT, Cause.CANCELLED, "by a person")
INFRA = Verdict(Result.ERROR, Cause.INFRA, "agent died")
SKIP = Verdict(Result.SKIP, Cause.REQUIREMENT, "no such package")
UNSUITABLE = Verdict(Result.SKIP, Cause.UNSUITABLE, "too old")


class Job:
    """A machine with tasks 1 to `count`, and short ways to say what happens."""

    def __init__(self, count=1, *, most=10, places=("here",), slots=10, suites=None, **options):
        own = ("retries", "idempotent", "series")
        given = {name: options.pop(name) for name in own if name in options}
        self.limits = Limits(most)
        for place in places:
            self.limits.set_place(place, slots)
        self.tasks = [
            Task(n, f"{n}-noop", Runnable("noop"), suite=suites[n - 1] if suites else "", **given)
            for n in range(1, count + 1)
        ]
        self.machine = Machine(self.tasks, self.limits, **options)
        self.time = 0.0
        self.actions = []

    def feed(self, kind, *args):
        self.time += 1.0
        self.actions = self.machine.handle(kind(self.time, *args))
        return self.actions

    def triaged(self, *numbers, place="here", needs=(), others=()):
        for number in numbers:
            self.feed(Triaged, number, place, tuple(needs), tuple(others))

    def started(self, *numbers, attempt=1):
        for number in numbers:
            self.feed(Started, number, attempt)

    def ended(self, number, ending=PASS, attempt=1):
        return self.feed(Ended, number, attempt, ending)

    def phase(self, number=1):
        state = self.machine.state(number)
        return state and state.phase

    def seen(self, kind):
        return [action for action in self.actions if isinstance(action, kind)]

    def started_now(self):
        return [each.task.number for each in self.seen(Start)]

    def settled_now(self):
        return {each.task.number: each.verdict for each in self.seen(Settle)}


def job_at(phase: Phase, **options) -> Job:
    """Return a job whose only task is in `phase`, where it can wait."""
    job = Job(**options)
    if phase is Phase.READY:
        job.limits.set_place("here", 0)
    job.feed(Begin)
    if phase is Phase.PREPARING:
        job.triaged(1, needs=[SLOW])
    elif phase is not Phase.TRIAGING:
        job.triaged(1)
    if phase is Phase.STARTED:
        job.started(1)
    assert job.phase() is phase
    return job
