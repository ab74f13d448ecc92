"""Podman without rights of root: the suite that every spawner passes, and what cannot be promised.

Whoever runs the tests without such rights runs the suite as it is; root runs it as somebody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rootless import as_pytest, as_user, cache_of_user

SUITE = Path(__file__).with_name("test_spawners.py")
ROOT = os.geteuid() == 0

MEMORY = """
import asyncio, sys, tempfile
from pathlib import Path
sys.path.insert(0, {root!r})
from nrunner.errors import SpawnError
from tests.functional.podman_job import podman_job

async def main():
    with tempfile.TemporaryDirectory() as folder:
        async with podman_job(Path(folder), memory=64 << 20) as job:
            try:
                handle = await job.spawner.open("podman")
            except SpawnError as error:
                print(f"refused: {{error}}")
            else:
                print(f"limited: {{handle._life.memory_group}}")
                await handle.destroy()

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _nothing_runs() -> Iterator[None]:
    """End the process by which podman keeps the user's namespaces."""
    yield
    if ROOT:
        run(as_user("podman", "system", "migrate"))


NETWORK = MEMORY.replace("memory=64 << 20", 'network="private"').replace(
    "limited: {{handle._life.memory_group}}", "opened"
)


def run(words: list[str]) -> str:
    """Run a command that has to succeed; return what it prints."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(180)
def test_the_suite_passes_without_rights_of_root():
    suite = (str(SUITE), "-k", "TestPodmanSpawner")
    words = as_pytest(*suite) if ROOT else [sys.executable, "-m", "pytest", "-q", *suite]
    assert " passed" in run(words)


def test_a_network_that_cannot_be_had_is_said_to_be_what_is_missing():
    program = NETWORK.format(root=str(SUITE.parents[2]))
    words = (sys.executable, "-c", program)
    said = run(as_user(*words, NRUNNER_TEST_CACHE=cache_of_user()) if ROOT else [*words])
    assert said.startswith("opened") or 'podman.network = "none" does without' in said, said


def test_a_limit_that_cannot_be_kept_is_refused():
    program = MEMORY.format(root=str(SUITE.parents[2]))
    words = (sys.executable, "-c", program)
    said = run(as_user(*words, NRUNNER_TEST_CACHE=cache_of_user()) if ROOT else [*words])
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    assert said.startswith("limited: /sys" if unified else "refused: limit the memory"), said
