"""Whoever opens an environment on a device may lose interest at any step of it.

Where the link still carries something nothing is left at once; where it stalls, we are gone in
time all the same, and nothing was begun.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrunner.spawners.base import Handle
from nrunner.spawners.ssh.spawner import SshSpawner
from tests.duts import Dut, bench
from tests.functional.ssh_device import WORK, Site, eventually, left, new_site, run
from tests.lame_link import LameLink, lame_link

AT_ONCE = 14.0
STEPS = ("connect", "log in", "look over", "copy", "start", "have started")


@pytest.fixture(scope="module")
def devices() -> Iterator[list[Dut]]:
    with bench(1) as found:
        yield found


@pytest.fixture
def dut(devices: list[Dut]) -> Dut:
    """A device that knows nothing of us yet."""
    devices[0].run("rm", "-rf", f"/{WORK}")
    return devices[0]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return new_site(tmp_path)


def step_of(spawner: SshSpawner, dut: Dut) -> str:
    """Return what an opening is about, as far as it can be told from outside."""
    device = next(iter(spawner._devices.values()))
    if any(dut.path(f"{WORK}/jobs").glob("*/agent")):
        return "have started"
    if dut.path(f"{WORK}/lease").exists() or any(dut.path(f"{WORK}/agents").glob("agent-*")):
        return "start"
    if any(dut.path(f"{WORK}/agents").glob(".new-*")):
        return "copy"
    if device.is_connected:
        return "look over"
    return "log in"


async def opening_at(step: str, spawner: SshSpawner, link: LameLink, dut: Dut):
    """Return an opening that has come to a step."""
    opening: asyncio.Future[Handle] = asyncio.ensure_future(spawner.open(spawner.offers()[0].place))
    if step == "log in":
        await eventually(lambda: link.connections, "the connection")
    elif step != "connect":
        await eventually(lambda: step_of(spawner, dut) == step or opening.done(), step)
    return opening


@pytest.mark.parametrize("step", STEPS)
def test_opening_is_given_up_at_once_and_nothing_is_left(step, dut, site):
    async def main() -> None:
        with lame_link(dut.address, dut.port) as link:
            link.rate = 2e6 if step == "copy" else 0
            link.delay = 0.02 if step != "have started" else 0.08
            spawner = site.spawner(dut, address=link.address, port=link.port)
            opening = await opening_at(step, spawner, link, dut)
            begun = time.monotonic()
            opening.cancel()
            await asyncio.wait([opening])
            if not opening.cancelled():
                await opening.result().destroy()
            await spawner.close()
            assert time.monotonic() - begun < AT_ONCE
        assert not [each for each in left([dut]) if "agents" not in each]
        assert not [*dut.path(f"{WORK}/agents").glob(".new-*")]

    run(main)


@pytest.mark.parametrize("step", STEPS[:-2])
def test_opening_over_a_link_that_stalls_is_given_up_in_time(step, dut, site):
    async def main() -> None:
        with lame_link(dut.address, dut.port) as link:
            spawner = site.spawner(dut, address=link.address, port=link.port)
            link.delay = 0.02
            link.rate = 2e6 if step == "copy" else 0
            if step == "connect":
                link.stall()
            opening = await opening_at(step, spawner, link, dut)
            link.stall()
            await asyncio.sleep(0.05)
            begun = time.monotonic()
            opening.cancel()
            await asyncio.wait([opening])
            await spawner.close()
            assert opening.cancelled()
            assert time.monotonic() - begun < AT_ONCE
            link.break_off()
            link.flow()
        assert not [each for each in left([dut]) if "agents" not in each]
        await eventually(lambda: not [*dut.path(f"{WORK}/agents").glob(".new-*")], "no copy")

    run(main)


def test_a_device_that_cannot_be_reached_is_given_up_in_time(dut, site):
    async def main() -> None:
        async with site.spawning(dut) as spawner:
            opening = asyncio.ensure_future(spawner.open(spawner.offers()[0].place))
            await asyncio.sleep(0.2)
            begun = time.monotonic()
            opening.cancel()
            await asyncio.wait([opening])
            assert opening.cancelled()
        assert time.monotonic() - begun < 10

    dut.cut_link()
    try:
        run(main)
    finally:
        dut.restore_link()
