"""What the machine does grows with the number of tasks and no faster: counted, not timed."""

from __future__ import annotations

import pytest

from nrunner.action import Fulfil, OpenPlace, Start, Triage
from nrunner.event import (
    Begin,
    Met,
    Opened,
    Started,
    StopAll,
    Triaged,
)
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.pool import Pool
from nrunner.runnable import Runnable
from nrunner.task import Task
from tests.unit.machine_job import CANCEL, INTERRUPT, SLOW, Job


def run_all(job: Job) -> int:
    """Answer everything with the best of news; return how many actions there were."""
    count = 0
    todo = job.feed(Begin)
    while todo:
        count += len(todo)
        now, todo = todo, []
        for action in now:
            if isinstance(action, Triage):
                todo += job.feed(Triaged, action.task.number, "here", (SLOW,))
            elif isinstance(action, Fulfil):
                todo += job.feed(Met, action.place, action.requirement.key)
            elif isinstance(action, Start):
                todo += job.feed(Started, action.task.number, 1)
                todo += job.ended(action.task.number)
    assert job.machine.is_done
    return count


def test_each_task_costs_the_same_number_of_actions_however_many_there_are():
    few, many = run_all(Job(500, most=3)), run_all(Job(5000, most=3))
    # Triage, Start, Settle and five moves; the requirement they share costs the first ones more.
    assert many - few == 8 * 4500


class Counting(int):
    """A number that counts how often it is compared."""

    compared = 0

    def __eq__(self, other):
        Counting.compared += 1
        return int(self) == other

    __hash__ = int.__hash__


@pytest.mark.parametrize("backwards", [False, True])
def test_stopping_a_job_searches_no_queue(backwards):
    count = 2000
    numbers = [Counting(n) for n in range(1, count + 1)]
    limits = Limits(1)
    limits.set_place("here", 0)
    tasks = [Task(number, f"{number}", Runnable("noop")) for number in numbers]
    machine = Machine(tasks, limits, lookahead=count)
    machine.handle(Begin(1.0))
    for number in reversed(numbers) if backwards else numbers:
        machine.handle(Triaged(2.0, number, "here"))
    Counting.compared = 0
    machine.handle(StopAll(3.0, CANCEL, INTERRUPT))
    assert machine.is_done
    assert Counting.compared <= 20 * count


def test_twenty_thousand_ready_tasks_are_stopped_by_one_event():
    job = Job(20_000, slots=0, lookahead=20_000)
    job.feed(Begin)
    for task in reversed(job.tasks):
        job.machine.handle(Triaged(2.0, task.number, "here"))
    actions = job.feed(StopAll, CANCEL, INTERRUPT)
    assert job.machine.is_done
    assert len(actions) == 40_000


def test_who_waits_for_places_that_are_all_open_has_none_of_them_looked_at(monkeypatch):
    counts = []
    count = Pool._slots
    monkeypatch.setattr(Pool, "_slots", lambda *args: counts.append(1) or count(*args))
    names = [f"place {number}" for number in range(40)]
    job = Job(2000, places=names, slots=1, most=40, pooled=dict.fromkeys(names, 1))
    todo = job.feed(Begin)
    while todo:
        now, todo = todo, []
        for action in now:
            if isinstance(action, Triage):
                others = tuple(names[1:])
                todo += job.feed(Triaged, action.task.number, names[0], (), others)
            elif isinstance(action, OpenPlace):
                todo += job.feed(Opened, action.place)
            elif isinstance(action, Start):
                todo += job.feed(Started, action.task.number, 1)
                todo += job.ended(action.task.number)
    assert job.machine.is_done
    assert len(counts) < 200
