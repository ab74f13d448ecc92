"""Controllers that die after every record of the journal, one after another, all in memory.

A mixed load of scripts is run by one scheduler after another, over the same journal and fake
environments. Whatever dies and when: each task gets the verdict it gets undisturbed, once.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from nrunner.adoption import adoption_of
from nrunner.event import Cancelled
from nrunner.history import History, job_record, past_states, planned_record
from nrunner.interrupt import stop_by_user
from nrunner.journal import FORMAT, Access, Journal, read_records
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.plan import JobPlan
from nrunner.reporter import JobClock, Reporter
from nrunner.result import Cause, Result, Verdict
from nrunner.results.base import JobReport
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.wire import PROTOCOL_VERSION
from nrunner.scheduler import Scheduler
from nrunner.spawners.base import Offer
from nrunner.task import Task
from nrunner.testing.fake_clock import FakeClock
from nrunner.testing.fake_spawner import FakeLayeredSpawner, FakeSpawner, Script, Trouble

BASE = time.monotonic()


class Dead(BaseException):
    """The controller was killed: nothing of it may go on."""


class Mortal(Journal):
    """A journal whose controller dies after a record."""

    def __init__(self, path: Path, access: Access = Access.NEW) -> None:
        super().__init__(path, access)
        self.left: int | None = None
        self.died = asyncio.Event()

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        for record in records:
            if self.died.is_set():
                raise Dead
            super().append([record])
            if self.left is not None:
                self.left -= 1
                if self.left == 0:
                    self.died.set()
                    raise Dead


def task(number: int, uri: str, *needs: str, **more: Any) -> Task:
    requirements = tuple(Requirement("file", each) for each in needs)
    runnable = Runnable("exec-test", uri, requirements=requirements)
    return Task(number, f"{number}-{uri}", runnable, **more)


SCRIPTS = {
    "good": Script(run_for=1.0),
    "bad": Script(result="fail", run_for=0.5),
    "slow": Script(run_for=5.0),
    "shaky": [Script(result="fail"), Script(run_for=0.2)],
    "deadly": [Script(trouble=Trouble.DIE, run_for=0.3), Script()],
    "hung up": Script(trouble=Trouble.LOSE_EVENT, run_for=0.3),
    "cut": Script(trouble=Trouble.LOSE_LINK, run_for=0.3),
}
AFAR = {
    "good": Script(run_for=1.0, stdout=b"loud " * 10_000),
    "bad": Script(result="fail", run_for=0.5, stdout=b"quiet"),
    "hung up": Script(trouble=Trouble.LOSE_EVENT, run_for=0.3, stdout=b"loud " * 100_000),
}
"""Where files have to be fetched: more than an event carries, less, and several pieces."""
TASKS = (
    task(1, "good", suite="a"),
    task(2, "slow", "lib", suite="a"),
    task(3, "shaky", suite="a", retries=2),
    task(4, "bad", suite="b"),
    task(5, "hung up", suite="b"),
    task(6, "cut", "lib", suite="b"),
    task(7, "good", suite="b", series="s"),
    task(8, "good", suite="b", series="s"),
)
EXPECTED = {
    1: Result.PASS,
    2: Result.PASS,
    3: Result.WARN,
    4: Result.FAIL,
    **dict.fromkeys((5, 6, 7, 8), Result.PASS),
}


class World:
    """A job, its environments, and the controllers that come and go."""

    def __init__(
        self,
        folder: Path,
        tasks: Sequence[Task],
        scripts: Mapping[str, Any],
        protocol: int = PROTOCOL_VERSION,
        *,
        isolated: bool = False,
        distant: bool = False,
    ) -> None:
        """With `isolated` each attempt has an environment of its own.

        With `distant` none of our files are seen there.
        """
        self.folder = folder
        self.path = folder / "journal.jsonl"
        self.tasks = tasks
        self.isolated = ["fake"] if isolated else []
        self.machine_limit = 6
        sort = FakeLayeredSpawner if isolated else FakeSpawner
        more = {"offer": Offer("fake", 2, queue=2, shares_files=False), "patience": 100.0}
        self.spawner = sort(scripts, slots=2, protocol=protocol, **(more if distant else {}))

    async def live(self, left: int | None, *, kill_agents: bool = False) -> bool:
        """Have one controller at work until it dies; return whether the job is done."""
        journal, machine, adoption = self._begin()
        journal.left = left
        try:
            ended = await self._until_dead(self._scheduler(journal, machine, adoption), journal)
            if not ended and kill_agents:
                for handle in self.spawner.alive:
                    handle.agent.leave("killed with its controller")
            return ended
        finally:
            journal.close()

    def _machine(self) -> Machine:
        return Machine(self.tasks, Limits(self.machine_limit), isolated=self.isolated)

    def _begin(self) -> tuple[Mortal, Machine, Any]:
        machine = self._machine()
        if not self.path.exists():
            journal = Mortal(self.path)
            journal.append([_head(self.tasks), *map(planned_record, self.tasks)])
            return journal, machine, None
        history = History()
        again = Mortal.reopen(self.path, history.visit)
        assert isinstance(again, Mortal)
        history.settle_down()
        adoption = adoption_of(history)
        machine.restore(history.verdicts, past_states(history, BASE))
        again.append([_resumed(adoption.epoch)])
        return again, machine, adoption

    def _scheduler(self, journal: Journal, machine: Machine, adoption: Any) -> Scheduler:
        job = JobReport("job", self.folder, (), len(self.tasks), 0.0)
        settings = {
            "job_id": "job",
            "results_dir": str(self.folder),
            "slots_dir": str(self.folder / "slots"),
            "base_dir": str(self.folder),
        }
        return Scheduler(
            machine,
            self.spawner,
            journal,
            Reporter(job, JobClock(0.0, BASE), ()),
            settings=settings,
            log_dir=lambda each, *_: str(self.folder / str(each.number)),
            adoption=adoption,
        )

    async def _until_dead(self, scheduler: Scheduler, journal: Mortal) -> bool:
        asyncio.get_running_loop().set_exception_handler(_heed_all_but_death)

        close = scheduler._close

        async def close_if_alive() -> None:
            # A process that is killed closes nothing: its connections are just gone.
            if not journal.died.is_set():
                await close()

        scheduler._close = close_if_alive  # type: ignore[method-assign]
        running = asyncio.ensure_future(_survived(scheduler))
        dying = asyncio.ensure_future(journal.died.wait())
        await asyncio.wait([running, dying], return_when=asyncio.FIRST_COMPLETED)
        if journal.died.is_set():
            for handle in self.spawner.alive:
                handle.agent.hang_up()
            running.cancel()
        dying.cancel()
        await asyncio.wait([running, dying])
        if running.cancelled():
            return False
        return running.result() and not journal.died.is_set()

    def check(self) -> dict[int, tuple[Result, Cause]]:
        """Check that each task has one verdict and no attempt ran twice; return the verdicts."""
        settled = [each for each in read_records(self.path) if each["type"] == "settled"]
        numbers = sorted(each["task"] for each in settled)
        assert numbers == [each.number for each in self.tasks]
        keys = [key for handle in self.spawner.handles for key in handle.agent.ran.elements()]
        assert len(keys) == len(set(keys)), "an attempt ran twice"
        # One that was opened and never recorded ends by itself, at its orphan deadline.
        opened = [each for each in read_records(self.path) if each["type"] == "environment"]
        known = [each["address"] for each in opened]
        assert [each for each in self.spawner.alive if each.address in known] == []
        reports = {each["task"]: each["report"] for each in settled}
        return {
            number: (Result(each["result"]), Cause(each["cause"]))
            for number, each in sorted(reports.items())
        }


async def _survived(scheduler: Scheduler) -> bool:
    try:
        await scheduler.run()
    except Dead:
        return False
    except BaseExceptionGroup as group:
        if group.split(Dead)[1] is not None:
            raise
        return False
    return True


def _head(tasks: Sequence[Task]) -> dict[str, Any]:
    plan = JobPlan(tuple(tasks), Path("/"), Path("/"))
    return job_record(plan, job_format=FORMAT, job_id="job", wall=0.0, monotonic=BASE, boot="b")


def _resumed(epoch: int) -> dict[str, Any]:
    now = {"wall": 1.0, "monotonic": BASE, "time": time.monotonic(), "boot_id": "b"}
    return {"type": "resumed", "epoch": epoch, **now}


def _heed_all_but_death(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), Dead):
        loop.default_exception_handler(context)


def play(
    folder: Path,
    points: Sequence[int],
    tasks: Sequence[Task] = TASKS,
    protocol: int = PROTOCOL_VERSION,
    *,
    isolated: bool = False,
    distant: bool = False,
    **options: Any,
) -> World:
    """Have controllers die after so many records of theirs, then one that does not."""
    folder.mkdir()

    async def main() -> World:
        scripts = {**SCRIPTS, **AFAR} if distant else SCRIPTS
        world = World(folder, tasks, scripts, protocol, isolated=isolated, distant=distant)
        for left in points:
            if await world.live(left, **options):
                return world
        assert await world.live(None)
        return world

    return FakeClock().run(main())


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many records the job makes after its plan."""
    world = play(tmp_path_factory.mktemp("whole") / "job", ())
    assert {number: result for number, (result, _) in world.check().items()} == EXPECTED
    return sum(1 for _ in read_records(world.path)) - 1 - len(TASKS)


def test_each_task_gets_its_verdict_wherever_the_controller_dies(tmp_path, records):
    assert records > 50
    for point in range(1, records + 1):
        world = play(tmp_path / str(point), [point])
        found = {number: result for number, (result, _) in world.check().items()}
        assert found == EXPECTED, f"after record {point}"


def test_controllers_may_die_one_after_the_other(tmp_path, records):
    for point in range(1, records, 3):
        world = play(tmp_path / str(point), [point, 7, 11, 2, 5])
        found = {number: result for number, (result, _) in world.check().items()}
        assert found == EXPECTED, f"after record {point}"


@pytest.mark.parametrize("apart", [-1, 1])
def test_agents_of_another_version_are_taken_over(tmp_path, records, apart):
    """nrunner was upgraded meanwhile, or the other way round: their agents go on as they are."""
    for point in range(20, records, 16):
        world = play(tmp_path / str(point), [point], protocol=PROTOCOL_VERSION + apart)
        assert {number: result for number, (result, _) in world.check().items()} == EXPECTED
        assert len(world.spawner.handles) == 1


def test_environments_of_one_attempt_each_are_taken_over_as_well(tmp_path):
    whole = play(tmp_path / "whole", (), isolated=True)
    assert {number: result for number, (result, _) in whole.check().items()} == EXPECTED
    records = sum(1 for _ in read_records(whole.path)) - 1 - len(TASKS)
    assert records > 60
    for point in range(1, records + 1):
        world = play(tmp_path / str(point), [point], isolated=True)
        found = {number: result for number, (result, _) in world.check().items()}
        assert found == EXPECTED, f"after record {point}"
        after = play(tmp_path / f"{point}-7", [point, 7, 11], isolated=True)
        assert {number: result for number, (result, _) in after.check().items()} == EXPECTED


def test_where_none_of_our_files_are_seen_all_is_taken_over_with_its_files(tmp_path):
    whole = play(tmp_path / "whole", (), distant=True)
    assert {number: result for number, (result, _) in whole.check().items()} == EXPECTED
    records = sum(1 for _ in read_records(whole.path)) - 1 - len(TASKS)
    for point in range(1, records + 1):
        for points in ([point], [point, 7, 11]):
            world = play(tmp_path / f"{point}-{len(points)}", points, distant=True)
            found = {number: result for number, (result, _) in world.check().items()}
            assert found == EXPECTED, f"after record {points}"
            for number in (1, 4, 5, 7, 8):
                printed = (world.folder / f"{number}" / "stdout").read_bytes()
                assert printed == AFAR[TASKS[number - 1].runnable.uri].stdout


def test_with_all_of_them_dead_too_only_what_ran_is_lost(tmp_path):
    lost = 0
    for point in range(1, 70):
        world = play(tmp_path / str(point), [point], kill_agents=True, isolated=True)
        lost += _lost(world, point)
    assert 0 < lost < 140


def test_with_its_agents_dead_too_only_what_ran_is_lost(tmp_path, records):
    lost = 0
    for point in range(1, records + 1):
        world = play(tmp_path / str(point), [point], kill_agents=True)
        lost += _lost(world, point)
    assert 0 < lost < records * 2


def test_an_environment_that_dies_while_nobody_looks_takes_only_what_ran_with_it(tmp_path):
    tasks = (*TASKS[:4], task(5, "deadly", suite="b"), *TASKS[5:])
    lost = sum(_lost(play(tmp_path / str(point), [point], tasks), point) for point in range(1, 80))
    assert 0 < lost < 12


def _lost(world: World, point: int) -> int:
    """Count what is lost; all else must be as it is undisturbed.

    One that failed, and whose second attempt is lost, has failed.
    """
    found = world.check()
    for number, (result, cause) in found.items():
        if cause is not Cause.LOST and (number, result) != (3, Result.FAIL):
            assert result is EXPECTED[number], f"after record {point}: task {number}"
    return sum(cause is Cause.LOST for _, cause in found.values())


def test_what_is_idempotent_runs_again_when_nobody_knows_how_it_ended(tmp_path):
    async def main() -> World:
        world = World(tmp_path, [task(1, "slow", idempotent=True)], SCRIPTS)
        assert not await world.live(5, kill_agents=True)
        assert await world.live(None)
        return world

    world = FakeClock().run(main())
    assert world.check() == {1: (Result.PASS, Cause.TEST)}
    (settled,) = [each for each in read_records(world.path) if each["type"] == "settled"]
    assert [each["cause"] for each in settled["report"]["attempts"]] == ["lost", "test"]


def test_what_may_be_ordered_again_is_not_if_its_job_was_stopped_before(tmp_path):
    class Stopped(World):
        def _scheduler(self, journal: Mortal, machine: Machine, adoption: Any) -> Scheduler:
            made = super()._scheduler(journal, machine, adoption)
            if adoption is not None:
                made.stop(stop_by_user(time.monotonic()))
            return made

    async def main() -> World:
        world = Stopped(tmp_path, [task(1, "slow")], SCRIPTS)
        assert not await world.live(3)  # it is about to be ordered, and nothing is open
        assert await world.live(None)
        return world

    world = FakeClock().run(main())
    assert world.check() == {1: (Result.CANCEL, Cause.CANCELLED)}
    assert [handle.agent.ran for handle in world.spawner.handles if handle.agent.ran] == []


@pytest.mark.parametrize(
    ("left", "ran", "result"),
    [
        (8, 1, Result.INTERRUPT),  # that the first has started was the last record
        (7, 0, Result.CANCEL),  # both were about to be ordered
    ],
)
def test_who_is_stopped_while_their_agent_is_out_of_reach_ends_once_it_is_back(
    tmp_path, left, ran, result
):
    """Only the agent knows whether it has them, and nothing may begin before it says so."""
    stopped = Verdict(Result.INTERRUPT, Cause.CANCELLED, "by a person")

    class Impatient(World):
        def _scheduler(self, journal: Mortal, machine: Machine, adoption: Any) -> Scheduler:
            made = super()._scheduler(journal, machine, adoption)
            if adoption is not None:
                cancelled = Cancelled(time.monotonic(), 2, stopped)
                asyncio.get_running_loop().call_later(1.0, made.feed, cancelled)
            return made

    async def main() -> World:
        scripts = {"bin/good": Script(run_for=20.0), "bin/endless": Script(blocks=True)}
        tasks = [task(1, "bin/good"), task(2, "bin/endless")]
        world = Impatient(tmp_path, tasks, scripts, distant=True)
        assert not await world.live(left)
        (handle,) = world.spawner.handles
        assert handle.agent.ran[2, 1] == ran
        handle.agent.unreachable_until = asyncio.get_running_loop().time() + 5.0
        assert await world.live(None)
        assert handle.agent.ran[2, 1] == ran
        return world

    world = FakeClock().run(main())
    assert world.check() == {1: (Result.PASS, Cause.TEST), 2: (result, Cause.CANCELLED)}


@pytest.mark.parametrize("isolated", [False, True])
def test_what_ran_where_nothing_can_be_taken_over_is_lost_and_the_rest_is_run(tmp_path, isolated):
    async def main() -> World:
        world = World(tmp_path, [task(1, "slow"), task(2, "good")], SCRIPTS, isolated=isolated)
        world.machine_limit = 1
        assert not await world.live(8 if isolated else 6)
        world.spawner.refuse_to_adopt = 1
        (lost,) = world.spawner.alive
        assert await world.live(None)
        assert not lost.agent.gone.is_set()
        lost.agent.leave("its orphan deadline is past")
        return world

    world = FakeClock().run(main())
    found = {number: cause for number, (_, cause) in world.check().items()}
    assert found == {1: Cause.LOST, 2: Cause.TEST}


def test_what_had_not_begun_is_run_where_nothing_can_be_taken_over_nor_removed(tmp_path):
    async def main() -> World:
        world = World(tmp_path, [task(1, "slow"), task(2, "good")], SCRIPTS)
        world.machine_limit = 1
        world.spawner.refuse_to_destroy = 1
        assert not await world.live(6)
        world.spawner.alive[0].agent.unreachable_until = math.inf
        assert await world.live(None)
        return world

    world = FakeClock().run(main())
    assert set(world.check().values()) == {(Result.PASS, Cause.TEST)}
    notices = [each["text"] for each in read_records(world.path) if each["type"] == "notice"]
    assert notices == ["could not remove what is left of fake: it is made to stay"]


def test_an_attempt_that_may_have_begun_unheard_is_not_begun_again(tmp_path):
    """Its agent was about to start it, and died before it could say that it did."""
    scripts = {**SCRIPTS, "mute": Script(trouble=Trouble.END_ONLY, blocks=True)}

    async def main() -> World:
        world = World(tmp_path, [task(1, "mute"), task(2, "good")], scripts)
        assert not await world.live(10, kill_agents=True)
        assert await world.live(None)
        return world

    world = FakeClock().run(main())
    assert world.check() == {1: (Result.ERROR, Cause.LOST), 2: (Result.PASS, Cause.TEST)}
    assert sum(handle.agent.ran[1, 1] for handle in world.spawner.handles) == 1
