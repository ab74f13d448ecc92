"""What is remembered of devices while a job uses them."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from nrunner.duthealth import Failed, Retired, State
from nrunner.dutmemory import DutMemory
from nrunner.errors import LinkError, UnfitError
from nrunner.inventory import Dut
from nrunner.offload import THREAD_NAME
from nrunner.spawners.ssh.guard import BorkedError, Guard, LeasedError
from nrunner.spawners.ssh.login import StrangerError

PLACE = "ssh:one"
DUT = Dut("one", "192.0.2.1", host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA")


class Stay:
    """A handle on something that ends when it is told to."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def wait_gone(self) -> str:
        await self.gone.wait()
        return "it was ended"


@pytest.fixture
def memory(tmp_path):
    return DutMemory(tmp_path)


def guard_of(memory):
    return Guard(memory, {PLACE: DUT}, "job 1234567")


async def opened(guard, error=None):
    async def opening():
        if error is not None:
            raise error
        return Stay()

    return await guard.opened(PLACE, opening)


def test_a_device_is_ours_until_its_handle_is_gone(memory):
    async def main():
        guard = guard_of(memory)
        handle = await opened(guard)
        assert memory.health(DUT).state is State.OWNED
        assert memory.health(DUT).reason == "job 1234567"
        assert await guard.bar(PLACE) is None
        handle.gone.set()
        await asyncio.wait(guard._held.values(), timeout=5)
        assert memory.health(DUT).state is State.FREE
        await guard.close()

    asyncio.run(main())


def test_at_the_end_of_a_job_nothing_is_ours(memory):
    async def main():
        guard = guard_of(memory)
        await opened(guard)
        await guard.close()
        assert memory.health(DUT).state is State.FREE
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_device_that_was_had_as_the_job_ended_is_not_ours_for_longer(memory, monkeypatch):
    """Nobody waits any more for the word that we have it, which is being written."""
    note, writing, may_go_on = memory.note, threading.Event(), threading.Event()

    def slowly(dut, happening):
        writing.set()
        assert may_go_on.wait(10)
        return note(dut, happening)

    async def main():
        guard = guard_of(memory)
        monkeypatch.setattr(memory, "note", slowly)
        opening = asyncio.create_task(opened(guard))
        await asyncio.to_thread(writing.wait, 10)
        opening.cancel()
        await asyncio.wait([opening])
        closing = asyncio.create_task(guard.close())
        await asyncio.sleep(0)
        may_go_on.set()
        await closing
        for thread in threading.enumerate():
            if thread.name == THREAD_NAME:
                await asyncio.to_thread(thread.join)
        assert memory.health(DUT).state is State.FREE
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (LinkError("reach one: no route"), State.QUARANTINED, "could not reach one: no route"),
        (BorkedError("use one: nobody answers"), State.BORKED, "use one: nobody answers"),
        (
            LeasedError("use one: it is held", "held by job 9", time.time() + 99_999),
            State.OWNED,
            "held by job 9",
        ),
    ],
)
def test_why_a_device_could_not_be_had_is_remembered(memory, error, state, reason):
    async def main():
        with pytest.raises(type(error)):
            await opened(guard_of(memory), error)

    asyncio.run(main())
    assert (memory.health(DUT).state, memory.health(DUT).reason) == (state, reason)


def test_what_is_missing_here_is_no_fault_of_a_device(memory):
    async def main():
        with pytest.raises(UnfitError):
            await opened(guard_of(memory), UnfitError("trust one: its host key is not known"))
        assert memory.health(DUT).state is State.FREE
        with pytest.raises(StrangerError):
            await opened(guard_of(memory), StrangerError("trust one: another machine answers"))
        assert memory.health(DUT).state is State.QUARANTINED

    asyncio.run(main())


def test_a_device_that_failed_is_left_alone_for_twice_as_long_each_time(memory):
    async def main():
        guard = guard_of(memory)
        await guard.lost(PLACE, "power cut")
        first = await guard.bar(PLACE)
        assert (first.reason, first.is_final) == ("power cut", False)
        assert 8 < first.seconds <= 10
        later = DutMemory(memory._folder, now=lambda: time.time() + 11)
        later.note(DUT, Failed("power cut again"))
        second = await guard.bar(PLACE)
        assert 28 < second.seconds <= 31

    asyncio.run(main())


def test_a_device_that_is_retired_is_not_used_in_this_job(memory):
    memory.note(DUT, Retired("it smokes"))
    bar = asyncio.run(guard_of(memory).bar(PLACE))
    assert (bar.reason, bar.is_final) == ("it is retired: it smokes", True)
