"""The scheduler with pooled places: opened when wanted, left alone in trouble, given up."""

from __future__ import annotations

import asyncio

import pytest

from nrunner.errors import SpawnError, UnfitError
from nrunner.interrupt import stop_by_user
from nrunner.record import replace
from nrunner.result import Cause, Result
from nrunner.runnable import Requirement
from nrunner.spawners.base import Bar, Offer
from nrunner.testing.fake_pool import FakePool
from nrunner.testing.fake_spawner import Script, Trouble
from tests.unit.scheduler_job import run_tasks, task

PASS = (Result.PASS, Cause.TEST)
INFRA = (Result.ERROR, Cause.INFRA)
UNSUITABLE = (Result.SKIP, Cause.UNSUITABLE)
TWO = (Offer("a", 1), Offer("b", 1))


@pytest.fixture
def run(tmp_path):
    """Return a function that runs tasks in a pool; the pool is `run.pool` afterwards."""

    def run(tasks, offers=TWO, scripts=None, *, before=lambda pool: None, **more):
        refusals = more.pop("refusals", None)

        def made():
            run.pool = FakePool(offers, scripts, refusals=refusals)
            before(run.pool)
            return run.pool

        slots = {each.place: each.slots for each in offers}
        return run_tasks(tmp_path, tasks, made, pooled=slots, **more)

    return run


def places(done):
    return {each.number: [a.environment for a in each.attempts] for each in done.ears.reports}


def requiring(number, uri, *tags):
    made = task(number, uri)
    needs = (Requirement("dut", kwargs={"tags": list(tags)}),)
    return replace(made, runnable=replace(made.runnable, requirements=needs))


def test_tasks_are_spread_over_all_places(run):
    scripts = {name: Script(run_for=1) for name in "xyzw"}
    done = run([task(n, name) for n, name in enumerate("xyzw", 1)], scripts=scripts)
    assert set(done.verdicts.values()) == {PASS}
    assert sorted(place for (place,) in places(done).values()) == ["a", "a", "b", "b"]
    assert sorted(run.pool.opened) == ["a", "b"]
    assert sorted(run.pool.notes) == [("a", "served"), ("b", "served")]


def test_a_single_task_opens_a_single_place(run):
    run([task(1, "x")])
    assert run.pool.opened == ["a"]


def test_a_place_that_cannot_be_opened_is_tried_again_while_others_do_the_work(run):
    refusals = {"a": [SpawnError("reach a: no route to host")]}
    scripts = {"x": Script(run_for=5), "y": Script(run_for=5), "z": Script(run_for=5)}
    done = run([task(n, u) for n, u in enumerate("xyz", 1)], scripts=scripts, refusals=refusals)
    assert set(done.verdicts.values()) == {PASS}
    assert all(len(each.attempts) == 1 for each in done.ears.reports)
    assert run.pool.opened == ["a", "b", "a"]
    assert done.ears.notices == ["a is left alone for 1 s: could not reach a: no route to host"]


def test_places_in_nothing_but_trouble_are_given_up_in_bounded_time(run):
    refusals = {place: [SpawnError(f"reach {place}: no route")] * 99 for place in "ab"}
    done = run([task(1, "x")], refusals=refusals)
    assert done.verdicts == {1: INFRA}
    whys = [f"{place}: could not reach {place}: no route" for place in "ab"]
    assert done.report(1).detail == f"no place is left: {'; '.join(whys)}"
    assert 50 < done.seconds < 70
    assert done.report(1).attempts == ()


def test_a_place_that_is_unfit_is_not_tried_again(run):
    refusals = {place: [UnfitError(f"use {place}: another host key")] for place in "ab"}
    done = run([task(1, "x")], refusals=refusals)
    assert done.verdicts == {1: INFRA}
    assert run.pool.opened == ["a", "b"]
    assert done.seconds < 1
    assert "a is not used any more in this job: could not use a: another host key" in (
        done.ears.notices
    )


def test_a_place_that_is_barred_is_not_opened(run):
    def bar(pool):
        pool.bars = {"a": Bar(3600.0, "retired", is_final=True)}

    done = run([task(1, "x"), task(2, "y")], before=bar)
    assert places(done) == {1: ["b"], 2: ["b"]}
    assert set(run.pool.opened) == {"b"}


def test_what_ran_where_an_environment_died_is_tried_at_another_place(run):
    scripts = {"x": [Script(run_for=1, trouble=Trouble.DIE), Script()]}
    done = run([task(1, "x")], scripts=scripts)
    assert done.verdicts == {1: PASS}
    assert places(done) == {1: ["a", "b"]}
    lost = [each for each in run.pool.notes if each[1] != "served"]
    assert [place for place, _ in lost] == ["a"]


def test_a_task_that_kills_every_place_is_tried_at_three_and_no_more(run):
    offers = [Offer(name, 1) for name in "abcd"]
    done = run([task(1, "x")], offers, {"x": Script(trouble=Trouble.DIE)})
    assert done.verdicts == {1: INFRA}
    assert places(done) == {1: ["a", "b", "c"]}


def test_a_place_is_released_as_soon_as_nothing_more_can_run_there(run):
    scripts = {"x": Script(run_for=1), "y": Script(run_for=50)}
    ended = {}

    async def watch(scheduler):
        await asyncio.sleep(25)
        ended["open"] = [each.place for each in scheduler.environments]

    run([task(1, "x"), task(2, "y")], scripts=scripts, beside=watch)
    assert ended["open"] == ["b"]


SICK = Script(refuse_to_start="the disk is full")


def test_a_place_whose_agent_is_in_trouble_gets_nothing_more_and_is_left_alone(run):
    scripts = {"x": [SICK, Script()], "y": Script(run_for=1), "z": Script(run_for=1)}
    done = run([task(n, name) for n, name in enumerate("xyz", 1)], scripts=scripts)
    assert set(done.verdicts.values()) == {PASS}
    assert places(done)[1] == ["a", "b"]
    assert ("a", "the disk is full") in run.pool.notes
    assert "a is left alone for 1 s: the disk is full" in done.ears.notices


def test_what_runs_at_a_place_in_trouble_runs_to_its_end(run):
    scripts = {"long": Script(run_for=9), "x": [SICK, Script()]}
    offers = (Offer("a", 2), Offer("b", 1))
    done = run([task(1, "long"), task(2, "x")], offers, scripts)
    assert places(done) == {1: ["a"], 2: ["a", "b"]}
    assert set(done.verdicts.values()) == {PASS}


def test_a_task_gets_a_place_whose_tags_it_asks_for(run):
    offers = (
        Offer("a", 1, tags=frozenset({"x86"})),
        Offer("b", 1, tags=frozenset({"arm64", "rc"})),
        Offer("c", 1, tags=frozenset({"arm64"})),
    )
    done = run([requiring(1, "x", "arm64", "!rc"), requiring(2, "y", "x86")], offers)
    assert places(done) == {1: ["c"], 2: ["a"]}


def test_a_task_that_no_place_suits_is_told_why_each_does_not(run):
    offers = (Offer("a", 1), Offer("b", 1, tags=frozenset({"arm64", "rc"})))
    done = run([requiring(1, "x", "arm64", "!rc")], offers)
    assert done.verdicts == {1: UNSUITABLE}
    assert done.report(1).detail == (
        "no place suits it: a: it is not tagged arm64; b: it is tagged rc"
    )
    assert run.pool.opened == []


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"tag": ["x"]}, 'requirement dut: it knows no "tag" (there is tags)'),
        ({"tags": "x"}, 'requirement dut, key "tags": expected a list such as ["arm64", "!rc"]'),
        ({"tags": ["a b"]}, 'requirement dut, key "tags": could not use the tags'),
    ],
)
def test_a_wish_that_cannot_be_understood_is_malformed(run, kwargs, reason):
    made = task(1, "x")
    needs = (Requirement("dut", kwargs=kwargs),)
    done = run([replace(made, runnable=replace(made.runnable, requirements=needs))])
    assert done.verdicts == {1: (Result.ERROR, Cause.MALFORMED)}
    assert done.report(1).detail.startswith(reason)


def test_a_kind_is_asked_about_where_it_is_to_run(run):
    strange = task(1, "x", kind="strange")
    done = run([strange], before=lambda pool: setattr(pool, "_kinds", frozenset({"strange"})))
    assert done.verdicts == {1: PASS}
    assert run.pool.opened == ["a"]


def test_a_kind_that_no_place_has_is_malformed(run):
    done = run([task(1, "x", kind="strange")])
    assert run.pool.opened == ["a", "b"]
    assert done.verdicts == {1: (Result.ERROR, Cause.MALFORMED)}


def test_who_asks_about_a_kind_does_not_wait_for_a_place_that_is_left_alone(run):
    """That nobody else waits for: it would not be opened afterwards."""

    def bar(pool):
        pool._kinds = frozenset({"strange"})
        pool.bars = {"a": Bar(30.0, "it failed before")}

    done = run([task(1, "x", kind="strange")], before=bar)
    assert done.verdicts == {1: PASS}
    assert run.pool.opened == ["b"]


def test_who_asks_about_a_kind_waits_for_the_only_place_there_is(run):
    def bar(pool):
        pool._kinds = frozenset({"strange"})
        pool.bars = {"a": Bar(30.0, "it failed before")}
        asyncio.get_running_loop().call_later(20.0, pool.bars.clear)

    done = run([task(1, "x", kind="strange")], TWO[:1], before=bar)
    assert done.verdicts == {1: PASS}


def test_a_place_that_nobody_needs_any_more_once_it_is_open_is_released(run):
    scripts = {"x": Script(run_for=1), "y": Script(run_for=50)}
    ended = {}

    async def watch(scheduler):
        await asyncio.sleep(20)
        ended["open"] = [each.place for each in scheduler.environments]

    def delay(pool):
        pool.delays = {"b": 5.0}

    run([task(1, "x"), task(2, "y")], scripts=scripts, before=delay, beside=watch)
    assert run.pool.opened == ["a", "b"]
    assert ended["open"] == ["a"]


def test_a_place_that_is_needed_again_while_it_is_being_released_was_in_no_trouble(run):
    scripts = {"x": Script(run_for=1), "y": [Script(run_for=3, trouble=Trouble.DIE), Script()]}

    def delay(pool):
        pool._destroy_takes = 5.0

    done = run([task(1, "x"), task(2, "y")], scripts=scripts, before=delay)
    assert places(done) == {1: ["a"], 2: ["b", "a"]}
    assert {why for place, why in run.pool.notes if place == "a"} == {"served"}
    assert not [each for each in done.ears.notices if each.startswith("a is left alone")]


def test_what_lost_its_environment_goes_back_there_if_no_other_place_is_left(run):
    refusals = {"b": [UnfitError("use b: another host key")]}
    scripts = {
        "x": [Script(run_for=9, trouble=Trouble.DIE), Script()],
        "y": Script(run_for=1),
    }
    done = run([task(1, "x"), task(2, "y")], scripts=scripts, refusals=refusals)
    assert done.verdicts == {1: PASS, 2: PASS}
    assert places(done)[1] == ["a", "a"]


def test_what_waits_for_a_place_that_is_given_up_then_goes_back_where_it_was(run):
    refusals = {"b": [SpawnError("reach b: no route")] * 99}
    scripts = {"x": [Script(run_for=1, trouble=Trouble.DIE), Script()]}
    done = run([task(1, "x")], scripts=scripts, refusals=refusals)
    assert done.verdicts == {1: PASS}
    assert places(done)[1] == ["a", "a"]


def test_a_place_that_worked_for_long_is_not_given_up_at_once(run):
    refusals = {"a": [SpawnError("reach a: no route")]}
    scripts = {"x": [Script(run_for=3600, trouble=Trouble.DIE), Script()]}
    done = run([task(1, "x")], TWO[:1], scripts=scripts, refusals=refusals)
    assert done.verdicts == {1: PASS}


def test_what_a_sick_agent_could_not_begin_is_tried_in_the_next_environment_there(run):
    done = run([task(1, "x")], TWO[:1], {"x": [SICK, Script()]})
    assert done.verdicts == {1: PASS}
    assert places(done) == {1: ["a", "a"]}
    assert run.pool.opened == ["a", "a"]


def test_what_can_be_begun_nowhere_is_tried_three_times(run):
    done = run([task(1, "x")], TWO[:1], {"x": SICK})
    assert done.verdicts == {1: INFRA}
    assert places(done) == {1: ["a", "a", "a"]}


@pytest.mark.parametrize("where", ["opened", "left alone", "asked"])
def test_a_job_that_is_stopped_waits_for_no_place(run, where):
    def prepare(pool):
        if where == "opened":
            pool.delays = {"a": 100.0, "b": 100.0}
        elif where == "left alone":
            pool.bars = {"a": Bar(50.0, "no"), "b": Bar(50.0, "no")}
        else:
            pool._kinds, pool.delays = frozenset({"strange"}), {"a": 100.0}

    async def stop(scheduler):
        await asyncio.sleep(1.0)
        scheduler.stop(stop_by_user(0.0))

    kind = "strange" if where == "asked" else "exec-test"
    done = run([task(1, "x", kind=kind)], before=prepare, beside=stop)
    assert done.verdicts == {1: (Result.CANCEL, Cause.CANCELLED)}
    assert done.seconds < 2


def test_a_place_where_nothing_ran_at_once_is_left_in_trouble_all_the_same(run):
    scripts = {"lib": Script(run_for=1), "x": [SICK, Script()]}
    done = run([task(1, "x", "lib")], TWO[:1], scripts)
    assert done.verdicts == {1: PASS}
    assert run.pool.opened == ["a", "a"]


def test_what_suits_no_place_is_tried_at_each_and_not_for_ever(run):
    script = Script(refuse_to_start="too old", refuse_cause="unsuitable")
    done = run([task(1, "x")], scripts={"x": script})
    assert done.verdicts == {1: UNSUITABLE}
    assert len(done.report(1).attempts) <= 3
