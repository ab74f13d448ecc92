"""Ends of attempts, their files and acknowledgements, in any order, with any of it lost on the way.

An agent that follows scripts, in memory; links are cut, and the controller is replaced, at random
moments. What must hold: a controller is told of each end once, with its files; an end that was
forgotten by the agent was told to somebody first; and nothing is acknowledged whose files are not
here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nrunner.berth import Berth
from nrunner.receipts import Receipts
from nrunner.spawners.base import Offer
from nrunner.testing.fake_clock import FakeClock
from nrunner.testing.fake_spawner import FakeSpawner, Script

SIZES = st.sampled_from([0, 10, 20_000, 600_000])
"""Nothing, what an event carries, one piece, and several."""
TASK = st.tuples(SIZES, st.floats(0, 3))
BREAKS = st.lists(st.tuples(st.floats(0, 4), st.sampled_from(["cut", "replace"])), max_size=4)


class World:
    """A job with an agent that outlives its controllers, and a journal that does, too."""

    def __init__(self, folder: Path, tasks: Sequence[tuple[int, float]]) -> None:
        self.folder = folder
        self.sizes = {number: size for number, (size, _) in enumerate(tasks, 1)}
        scripts = {
            f"{number}": Script(run_for=takes, stdout=bytes([number]) * size)
            for number, (size, takes) in enumerate(tasks, 1)
        }
        offer = Offer("fake", 3, queue=3, shares_files=False)
        self.spawner = FakeSpawner(scripts, offer=offer, patience=100)
        self.journal: dict[int, str] = {}
        self.failure = ""
        self.epoch = 0
        self.ready = asyncio.Event()
        self.done = asyncio.Event()
        self.berth = self.begin()

    def begin(self) -> Berth:
        self.epoch += 1
        folder = str(self.folder)
        told = {"results_dir": folder, "slots_dir": f"{folder}/slots", "base_dir": "/nowhere"}
        return Berth(
            self.spawner.offers()[0],
            self.spawner,
            told,
            Recorder(self, self.epoch),
            epoch=self.epoch,
        )

    def fail(self, why: str) -> None:
        """End it: nobody hears of what is raised where events are told."""
        self.failure = self.failure or why
        self.done.set()

    def kept(self, number: int) -> bytes:
        path = self.folder / f"{number}" / "stdout"
        return path.read_bytes() if path.exists() else b""

    def order(self, number: int) -> dict[str, Any]:
        runnable = {"kind": "exec-test", "uri": f"{number}"}
        log_dir = str(self.folder / f"{number}")
        return {"task": number, "attempt": 1, "runnable": runnable, "log_dir": log_dir}

    async def run(self, breaks: Sequence[tuple[float, str]]) -> None:
        for number in self.sizes:
            self.berth.run_nowait(self.order(number))
        holding = asyncio.ensure_future(self.berth.hold())
        await self.ready.wait()
        for pause, what in breaks:
            await asyncio.sleep(pause)
            if self.done.is_set():
                break
            self.spawner.handles[0].agent.hang_up()
            if what == "replace":
                holding.cancel()
                await asyncio.wait([holding])
                holding = asyncio.ensure_future((await self.taken_over()).hold())
        # The clock runs ahead while a thread writes: this is some real seconds.
        async with asyncio.timeout(300_000):
            await self.done.wait()
        assert not self.failure
        await asyncio.sleep(10)
        agent = self.spawner.handles[0].agent
        assert agent.remains().events == ()
        assert agent.far == {}
        assert all(count == 1 for count in agent.ran.values())
        await self.berth.close()
        await asyncio.wait([holding])

    async def taken_over(self) -> Berth:
        self.berth = berth = self.begin()
        left = {(number, 1): self.journal.get(number) == "started" for number in self.sizes}
        running = {key: told for key, told in left.items() if self.journal.get(key[0]) != "ended"}
        for number, _ in running:
            berth.expect(self.order(number))
            if not running[number, 1]:
                berth.order_later(self.order(number))
        assert await berth.adopt({"number": 0}, running) is None
        return berth


class Recorder:
    """One controller's journal: a former one writes nothing any more."""

    def __init__(self, world: World, epoch: int) -> None:
        self.world = world
        self.epoch = epoch

    def opened(self, *_: Any) -> bool:
        self.world.ready.set()
        return True

    def closing(self, *_: Any) -> None: ...

    def notice(self, _text: str) -> None: ...

    def missing(self, _berth: Berth, keys: Sequence[Any]) -> None:
        self.world.fail(f"{keys} are missing")

    def heard(self, _berth: Berth, heads: Sequence[Mapping[str, Any]]) -> bool:
        world = self.world
        if self.epoch != world.epoch:
            return False
        for head in heads:
            number, event = head["task"], head["event"]
            if world.journal.get(number) == "ended":
                world.fail(f"{number} ended twice")
            if event == "ended" and world.kept(number) != bytes([number]) * world.sizes[number]:
                world.fail(f"{number} ended before its files were here")
            world.journal[number] = event
        if [*world.journal.values()].count("ended") == len(world.sizes):
            world.done.set()
        return True


@given(st.lists(TASK, min_size=1, max_size=6), BREAKS)
@settings(max_examples=60, deadline=None)
def test_each_end_is_told_once_and_with_its_files_whatever_breaks(tasks, breaks):
    with TemporaryDirectory() as folder:

        async def main() -> None:
            await World(Path(folder), tasks).run(breaks)

        FakeClock().run(main())


@given(st.data())
@settings(max_examples=200)
def test_nothing_is_acknowledged_before_all_that_came_before_it(data):
    first = data.draw(st.integers(1, 5))
    numbers = range(first, first + data.draw(st.integers(1, 12)))
    receipts, heard, settled, told = Receipts(), [], set(), 0
    rest = [*numbers]
    while rest or heard:
        if rest and (not heard or data.draw(st.booleans())):
            heard.append(rest.pop(0))
            receipts.expect(heard[-1])
        else:
            number = heard.pop(data.draw(st.integers(0, len(heard) - 1)))
            settled.add(number)
            receipts.settle(number)
        due = receipts.due()
        if due is not None:
            assert due > told
            assert all(each in settled for each in range(first, due + 1))
            told = due
    assert told == numbers[-1]
