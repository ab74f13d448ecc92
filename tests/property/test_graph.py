"""Preparations and suites against a plain account of who waits for what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nrunner.graph import Order, Preparations
from nrunner.runnable import Requirement, Runnable
from nrunner.task import Task

REQUIREMENTS = [Requirement("file", name) for name in "xyz"]
PLACES = st.sampled_from(["here", "there"])
REQUIREMENT = st.sampled_from(REQUIREMENTS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("need"), PLACES, st.lists(REQUIREMENT, max_size=4)),
        st.tuples(st.just("met"), PLACES, REQUIREMENT),
        st.tuples(st.just("failed"), PLACES, REQUIREMENT),
        st.tuples(st.just("forget"), st.integers(0, 20)),
        st.tuples(st.just("leave"), PLACES),
    ),
    max_size=30,
)


class Account:
    """Who waits for what, the slow and obvious way."""

    def __init__(self):
        self.running: set[tuple[str, str]] = set()
        self.met: set[tuple[str, str]] = set()
        self.waits: dict[int, set[tuple[str, str]]] = {}

    def need(self, number, place, requirements):
        keys = dict.fromkeys((place, each.key) for each in requirements)
        begun = [key for key in keys if key not in self.running | self.met]
        self.running.update(begun)
        waits = {key for key in keys if key in self.running}
        if waits:
            self.waits[number] = waits
        return not waits, [key for _, key in begun]

    def answer(self, place, key, is_met):
        if (place, key) not in self.running:
            if not is_met:
                self.met.discard((place, key))
            return set()
        self.running.discard((place, key))
        if is_met:
            self.met.add((place, key))
        concerned = {number for number, waits in self.waits.items() if (place, key) in waits}
        for number in concerned:
            self.waits[number].discard((place, key))
        gone = {number for number in concerned if not is_met or not self.waits[number]}
        for number in gone:
            del self.waits[number]
        return gone

    def leave(self, place):
        self.met = {each for each in self.met if each[0] != place}


@given(STEPS)
def test_everyone_waits_for_just_what_is_still_to_be_met(steps):
    preparations, account = Preparations(), Account()
    for number, (what, *args) in enumerate(steps):
        if what == "need":
            can_go, begin = preparations.need(number, *args)
            assert (can_go, [each.key for each in begin]) == account.need(number, *args)
        elif what == "forget":
            preparations.forget(args[0])
            account.waits.pop(args[0], None)
        elif what == "leave":
            preparations.leave(args[0])
            account.leave(args[0])
        else:
            place, requirement = args
            answered = getattr(preparations, what)(place, requirement.key)
            assert len(answered) == len(set(answered))
            assert set(answered) == account.answer(place, requirement.key, what == "met")
        assert preparations._needs == account.waits


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.booleans(), st.randoms())
def test_every_task_is_freed_once_and_after_those_before_it(suites, in_order, random):
    tasks = {
        number: Task(number, f"{number}", Runnable("noop"), suite=suite)
        for number, suite in enumerate(suites, 1)
    }
    order = Order(list(tasks.values()), in_order=in_order)
    open_, freed, ended = list(order.first()), list(order.first()), []
    while open_:
        task = tasks[open_.pop(random.randrange(len(open_)))]
        earlier = list(dict.fromkeys(suites))
        earlier = earlier[: earlier.index(task.suite)] if in_order else []
        assert all(each.number in ended for each in tasks.values() if each.suite in earlier)
        ended.append(task.number)
        more = order.ended(task)
        open_ += more
        freed += more
    assert sorted(freed) == sorted(ended) == sorted(tasks)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.randoms())
def test_tasks_that_end_in_any_order_leave_nothing_behind(suites, random):
    tasks = [
        Task(number, f"{number}", Runnable("noop"), suite=suite)
        for number, suite in enumerate(suites, 1)
    ]
    order = Order(tasks, in_order=True)
    freed = [*order.first()]
    for task in random.sample(tasks, len(tasks)):
        freed += order.ended(task)
    assert sorted(freed) == [task.number for task in tasks]
