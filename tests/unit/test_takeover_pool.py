"""Controllers that die while tasks run at pooled places, all in memory: what the next one finds."""

from __future__ import annotations

import asyncio
import time

import pytest

from nrunner.interrupt import stop_by_user
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.result import Cause, Result
from nrunner.spawners.base import Offer
from nrunner.testing.fake_clock import FakeClock
from nrunner.testing.fake_pool import FakePool
from nrunner.testing.fake_spawner import Script
from tests.unit.test_takeover import EXPECTED, SCRIPTS, TASKS, World, task

PASS = (Result.PASS, Cause.TEST)
LOST = (Result.ERROR, Cause.LOST)


INTERRUPTED = (Result.INTERRUPT, Cause.CANCELLED)


class PooledWorld(World):
    """A job with two places that are as good as each other."""

    def __init__(self, folder, tasks, scripts, *, places="ab", slots=2):
        super().__init__(folder, tasks, scripts)
        self.scripts, self.slots = scripts, slots
        self.stop_after = None
        """Seconds after which the job is stopped that a controller took over."""
        self.have(places)

    def have(self, places):
        """Have other places than before; what is open there stays."""
        self.places = places
        former = self.spawner
        self.spawner = FakePool([Offer(each, self.slots) for each in places], self.scripts)
        self.spawner.handles = former.handles

    def _scheduler(self, journal, machine, adoption):
        made = super()._scheduler(journal, machine, adoption)
        if adoption is not None and self.stop_after is not None:
            stop = stop_by_user(time.monotonic())
            asyncio.get_running_loop().call_later(self.stop_after, made.stop, stop)
        return made

    def _machine(self):
        limits = Limits(self.machine_limit)
        for place in self.places:
            limits.set_place(place, self.slots)
        return Machine(self.tasks, limits, pooled=dict.fromkeys(self.places, self.slots))


def lived(world, *deaths, kill_agents=False, meanwhile=lambda: None):
    """Have one controller after the other die; return the verdicts once the last has ended."""

    async def live():
        for left in deaths:
            if await world.live(left, kill_agents=kill_agents):
                return
            meanwhile()
        assert await world.live(None)

    FakeClock().run(live())
    return world.check()


@pytest.mark.parametrize("slots", [1, 2])
def test_each_task_gets_its_verdict_wherever_the_controller_dies(tmp_path, slots):
    for point in range(slots, 60, 2):
        folder = tmp_path / str(point)
        folder.mkdir()
        verdicts = lived(PooledWorld(folder, TASKS, SCRIPTS, slots=slots), point, 9)
        found = {number: result for number, (result, _) in verdicts.items()}
        assert found == EXPECTED, f"after record {point}"


@pytest.mark.parametrize("places", ["a", "ab"])
def test_a_place_whose_environment_ended_meanwhile_is_opened_anew(tmp_path, places):
    tasks = [task(n, "slow") for n in range(1, 6)]
    world = PooledWorld(tmp_path, tasks, {"slow": Script(run_for=5.0)}, places=places, slots=1)
    verdicts = lived(world, 16, kill_agents=True)
    assert set(verdicts.values()) <= {PASS, LOST}
    assert {handle.name for handle in world.spawner.handles[len(places) :]} == set(places)


def test_what_ran_at_a_place_that_is_none_any_more_runs_at_another_if_it_may(tmp_path):
    tasks = [task(1, "slow", idempotent=True), task(2, "slow", idempotent=True)]
    for point in range(1, 18):
        folder = tmp_path / str(point)
        folder.mkdir()
        world = PooledWorld(folder, tasks, {"slow": Script(run_for=5.0)}, slots=1)

        def change(world=world):
            for handle in world.spawner.alive:
                if handle.name == "a":
                    handle.agent.leave("its orphan deadline is past")
            world.have("b")

        assert lived(world, point, meanwhile=change) == {1: PASS, 2: PASS}, f"after {point}"


@pytest.mark.parametrize("is_there", [False, True])
def test_who_is_stopped_while_their_place_is_taken_over_ends(tmp_path, is_there):
    tasks = [task(1, "endless"), task(2, "endless")]
    world = PooledWorld(tmp_path, tasks, {"endless": Script(blocks=True)}, slots=1)
    world.stop_after = 1.0

    def change():
        if not is_there:
            world.spawner.handles[1].agent.leave("its orphan deadline is past")
            world.have("a")
        world.spawner.delays = {"a": 2.0, "b": 2.5}

    verdicts = lived(world, 10, meanwhile=change)
    assert verdicts == {1: INTERRUPTED, 2: INTERRUPTED if is_there else LOST}


def test_who_began_unheard_and_is_stopped_while_their_place_is_taken_over_ends_there(tmp_path):
    tasks = [task(1, "endless"), task(2, "endless")]
    world = PooledWorld(tmp_path, tasks, {"endless": Script(blocks=True)}, slots=1)
    world.stop_after = 1.0

    def change():
        first, second = world.spawner.handles
        assert (first.agent.ran[1, 1], second.agent.ran[2, 1]) == (1, 1)
        world.spawner.delays = {"a": 2.0, "b": 2.0}

    verdicts = lived(world, 9, meanwhile=change)  # that the first has started was the last record
    assert verdicts == {1: INTERRUPTED, 2: INTERRUPTED}


def test_places_are_taken_over_at_once(tmp_path):
    tasks = [task(n, "slow") for n in range(1, 9)]
    world = PooledWorld(tmp_path, tasks, {"slow": Script(run_for=5.0)}, places="abcdefgh", slots=1)
    began = []

    def change():
        world.spawner.delays = dict.fromkeys(world.places, 3.0)
        began.append(asyncio.get_running_loop().time())

    async def live():
        world.machine_limit = 8
        assert not await world.live(50)
        change()
        assert await world.live(None)
        return asyncio.get_running_loop().time() - began[0]

    assert FakeClock().run(live()) < 10
    assert set(world.check().values()) == {PASS}


def test_who_stops_a_job_waits_for_no_place_that_is_taken_over(tmp_path):
    tasks = [task(1, "endless"), task(2, "endless")]
    world = PooledWorld(tmp_path, tasks, {"endless": Script(blocks=True)}, slots=1)
    world.stop_after = 1.0

    async def live():
        assert not await world.live(10)
        world.spawner.delays = {"a": 500.0}
        began = asyncio.get_running_loop().time()
        assert await world.live(None)
        taken = asyncio.get_running_loop().time() - began
        for handle in world.spawner.alive:
            handle.agent.leave("its orphan deadline is past")
        return taken

    assert FakeClock().run(live()) < 4
    assert world.check() == {1: INTERRUPTED, 2: INTERRUPTED}
