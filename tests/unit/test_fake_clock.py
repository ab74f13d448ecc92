"""A clock for tests: time passes at once, but not while a thread of ours works."""

from __future__ import annotations

import asyncio
import time

import pytest

from nrunner.offload import offload
from nrunner.testing.fake_clock import FakeClock, StuckError


def test_an_hour_passes_at_once():
    clock = FakeClock(now=5.0)
    clock.run(asyncio.sleep(3600))
    assert clock.now == 3605.0


def test_what_a_thread_does_takes_no_time():
    clock = FakeClock(now=0.0)

    async def main() -> str:
        async with asyncio.timeout(1):
            await offload(time.sleep, 0.2)
            return await offload(lambda: "written")

    assert clock.run(main()) == "written"
    assert clock.now == 0.0


def test_that_nothing_can_happen_any_more_is_said():
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StuckError):
        FakeClock().run(main())
