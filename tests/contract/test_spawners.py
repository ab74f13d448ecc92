"""The suite that every spawner passes, run over those that ship with nrunner."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from nrunner.runnable import Runnable
from nrunner.spawners.base import Spawner, SpawnerContext
from nrunner.spawners.process import make_spawner
from nrunner.testing.fake_clock import FakeClock
from nrunner.testing.fake_spawner import FakeSpawner, Script
from nrunner.testing.spawner_contract import SpawnerContract


class TestProcessSpawner(SpawnerContract):
    """Real processes on this machine."""

    def make_spawner(self, context: SpawnerContext) -> Spawner:
        return make_spawner(context)


class TestFakeSpawner(SpawnerContract):
    """Scripts, in no time at all."""

    within = 1000.0

    def make_spawner(self, _context: SpawnerContext) -> Spawner:
        said = b"hello\n"
        return FakeSpawner(
            {
                "prints": Script("fail", stdout=said, fields={"returncode": 3}),
                "sleeps 0.15": Script(stdout=said, run_for=0.15),
                "sleeps 1000": Script(stdout=said, blocks=True),
                "stubborn": Script(blocks=True, ignores_term=True),
            }
        )

    def prints(self) -> Runnable:
        return Runnable("exec-test", "prints")

    def sleeps(self, seconds: float) -> Runnable:
        return Runnable("exec-test", f"sleeps {seconds}")

    def stubborn(self) -> Runnable:
        return Runnable("exec-test", "stubborn")

    def remains(self, spawner: Spawner) -> list[str]:
        assert isinstance(spawner, FakeSpawner)
        return [handle.name for handle in spawner.alive]

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        FakeClock().run(main)
