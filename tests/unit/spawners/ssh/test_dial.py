"""What is tried again, and what is not."""

from __future__ import annotations

import asyncio

import pytest

from nrunner.errors import LinkError, SpawnError
from nrunner.spawners.ssh.dial import again
from nrunner.testing.fake_clock import FakeClock


class Attempts:
    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.times = []

    async def __call__(self):
        self.times.append(asyncio.get_running_loop().time())
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_a_lost_link_is_tried_again_after_longer_and_longer_pauses():
    attempts = Attempts(*[LinkError("reach it")] * 4, "reached")

    async def main():
        begun = asyncio.get_running_loop().time()
        assert await again(attempts) == "reached"
        return [when - begun for when in attempts.times]

    assert FakeClock().run(main()) == pytest.approx([0, 0.5, 1.5, 3.5, 7.5])


def test_it_is_given_up_after_five_attempts_and_says_so():
    attempts = Attempts(*[LinkError("reach it")] * 9)
    with pytest.raises(LinkError, match=r"^reach it \(tried 5 times\)$"):
        FakeClock().run(again(attempts))
    assert len(attempts.times) == 5


def test_what_was_refused_is_not_tried_again():
    attempts = Attempts(SpawnError("trust it"), "reached")
    with pytest.raises(SpawnError, match="trust it"):
        FakeClock().run(again(attempts))
    assert len(attempts.times) == 1


def test_who_waits_for_the_next_attempt_can_be_cancelled():
    attempts = Attempts(LinkError("reach it"), "reached")

    async def main():
        task = asyncio.ensure_future(again(attempts))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    FakeClock().run(main())
    assert len(attempts.times) == 1
