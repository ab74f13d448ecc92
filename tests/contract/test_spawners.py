"""The suite that every spawner passes, run over those that ship with nrunner."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from nrunner.record import replace
from nrunner.runnable import Runnable
from nrunner.spawners.base import Spawner, SpawnerContext
from nrunner.spawners.podman.spawner import make_spawner as make_podman_spawner
from nrunner.spawners.process import make_spawner
from nrunner.spawners.ssh.settings import Settings
from nrunner.spawners.ssh.spawner import SshSpawner
from nrunner.testing.distant_spawner import DistantSpawner
from nrunner.testing.fake_clock import FakeClock
from nrunner.testing.fake_spawner import FakeSpawner, Script
from nrunner.testing.spawner_contract import SpawnerContract
from tests.containers import busybox_image, containers_of, oci_runtime, python_image
from tests.contract.shell_spawner import SHELLS, ShellSpawner
from tests.duts import Dut, bench
from tests.functional.ssh_device import entry, left


class TestProcessSpawner(SpawnerContract):
    """Real processes on this machine."""

    def make_spawner(self, context: SpawnerContext) -> Spawner:
        return make_spawner(context)


class TestDistantSpawner(SpawnerContract):
    """Real processes that see none of our files, over a link that can be cut."""

    def make_spawner(self, context: SpawnerContext) -> Spawner:
        return DistantSpawner(context)


class TestPodmanSpawner(SpawnerContract):
    """Real containers, made by this user's podman."""

    within = 30.0
    image = staticmethod(python_image)

    def make_spawner(self, context: SpawnerContext) -> Spawner:
        config = {"podman.image": self.image(), "podman.runtime": oci_runtime()}
        return make_podman_spawner(replace(context, config=config))

    def remains(self, spawner: Spawner) -> list[str]:
        return [*super().remains(spawner), *containers_of(self.context.job_id)]


class TestPodmanSpawnerWithoutPython(TestPodmanSpawner):
    """Containers of an image that has a shell and no Python."""

    image = staticmethod(busybox_image)


class TestSshSpawner(SpawnerContract):
    """A real device, leased and reached over SSH."""

    sort = "whole"
    device: Dut

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _switched_on(cls) -> Iterator[None]:
        with bench(1, sort=cls.sort) as (cls.device,):
            yield

    def make_spawner(self, context: SpawnerContext) -> Spawner:
        return SshSpawner(context, Settings(), [entry(self.device)])

    def remains(self, spawner: Spawner) -> list[str]:
        return [*super().remains(spawner), *left([self.device])]


class TestSshSpawnerWithoutPython(TestSshSpawner):
    """A device that has busybox alone."""

    sort = "busybox"


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


class TestShellSpawnerUnderBusybox(SpawnerContract):
    """Real processes, supervised by sh where there is nothing but busybox."""

    shell = SHELLS["busybox"]

    def make_spawner(self, context: SpawnerContext) -> Spawner:
        return ShellSpawner(context, self.shell)


class TestShellSpawnerUnderDash(TestShellSpawnerUnderBusybox):
    """The same under the shell of Debian."""

    shell = SHELLS["dash"]


class TestShellSpawnerUnderBash(TestShellSpawnerUnderBusybox):
    """The same under a shell that is more than POSIX asks for."""

    shell = SHELLS["bash"]
