"""A podman spawner as a job has it, for tests: opened, spoken with, closed, and nothing left."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from nrunner.runnable import Requirement, Runnable
from nrunner.spawners.base import SpawnerContext
from nrunner.spawners.podman.handle import ContainerHandle
from nrunner.spawners.podman.spawner import PodmanSpawner, make_spawner
from nrunner.testing.talk import Talk
from tests.containers import containers_of, oci_runtime, podman, python_image

PYTHON = "/usr/bin/python3"


class PodmanJob:
    """The spawner of a job, and conversations with its agents."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """`settings` are those of podman, without the word."""
        self.job_id = f"test-{secrets.token_hex(6)}"
        self.base_dir = folder / "here"
        self.runtime = folder / "rt"
        for each in (self.base_dir, self.runtime):
            each.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._count = 0
        config = {"podman.image": python_image(), "podman.runtime": oci_runtime()}
        config |= {f"podman.{name}": value for name, value in settings.items()}
        context = SpawnerContext(
            self.job_id, self.runtime, folder / "cache", 2, config, str(self.base_dir)
        )
        self.spawner: PodmanSpawner = make_spawner(context)

    @contextlib.asynccontextmanager
    async def environment(self, base: str = "") -> AsyncIterator[tuple[Talk, ContainerHandle]]:
        """Open an environment and greet its agent; destroy it in the end."""
        self._count += 1
        kept = self._folder / f"kept-{self._count}"
        kept.mkdir(mode=0o700)
        handle = await self.spawner.open("podman", base, str(kept))
        assert isinstance(handle, ContainerHandle)
        talk = Talk(handle, self._settings(kept))
        try:
            await talk.environment.open()
            yield talk, handle
        finally:
            await handle.destroy()

    def remains(self) -> list[str]:
        """Return, in words, what is left of the job."""
        listed = os.listdir(self.runtime)  # noqa: PTH208 - names are wanted
        return [*containers_of(self.job_id), *listed]

    def _settings(self, kept: Path) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "base_dir": str(self.base_dir),
            "results_dir": str(kept),
            "slots_dir": str(kept / "slots"),
            "slots": 2,
            "orphan_deadline": 20,
        }


@contextlib.asynccontextmanager
async def podman_job(folder: Path, **settings: Any) -> AsyncIterator[PodmanJob]:
    """Have a job with a podman spawner; it must leave nothing behind."""
    job = PodmanJob(folder, **settings)
    try:
        yield job
    finally:
        await job.spawner.close()
        left = job.remains()
        for each in containers_of(job.job_id):
            podman("rm", "-f", "-t", "0", each.split()[0])
    assert left == []


async def output_of(talk: Talk, number: int, *words: str) -> str:
    """Run a command as a test, and return what it printed once it has ended."""
    talk.run(number, Runnable("exec-test", words[0], words[1:]))
    end = await talk.hear(number, "ended")
    assert end["result"] == "pass", (end, _read(talk, number, "stderr"))
    return _read(talk, number, "stdout")


def _read(talk: Talk, number: int, name: str) -> str:
    path = talk.log_dir(number) / name
    return path.read_text() if path.exists() else ""


def image_requirement(**kwargs: str) -> Requirement:
    """Return a requirement of an image."""
    return Requirement("podman-image", kwargs.pop("uri", None), (), kwargs)
