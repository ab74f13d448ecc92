"""Tests that need packages of the distribution, as root on a machine that is ours to change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chroot import Chroot, chroot
from tests.debian_image import PACKAGES
from tests.functional.sandbox import Sandbox
from tests.functional.test_podman_packages import TEXT, moved


@pytest.fixture
def debian(sandbox: Sandbox, tmp_path: Path) -> Iterator[Chroot]:
    """Return a Debian in which the sandbox is; nothing is left of it."""
    with chroot(tmp_path) as place:
        yield place
    sandbox.wait_nothing_runs(5)
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def nrunner(place: Chroot, box: Sandbox, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run nrunner in there to its end."""
    words = place.words(sys.executable, "-m", "nrunner", *argv, folder=box.here)
    return subprocess.run(
        words, env=box.env, capture_output=True, text=True, timeout=30, check=False
    )


def test_root_has_packages_installed_once_while_other_tests_run(
    debian: Chroot, sandbox: Sandbox
) -> None:
    sandbox.write("test.py", TEXT % (PACKAGES * 2))
    sandbox.write("mylib.py", "")
    words = ("run", "test.py", "--max-parallel-tasks", "2")
    first = nrunner(debian, sandbox, *words)
    assert first.returncode == 0, first.stdout + first.stderr
    assert moved(sandbox, 2, "FINISHED") < moved(sandbox, 1, "READY"), "the second waited"
    history = debian.read("/var/log/apt/history.log")
    assert all(history.count(f"Install: {name}:") == 1 for name in PACKAGES), history

    installing = moved(sandbox, 1, "READY") - moved(sandbox, 1, "PREPARING")

    again = nrunner(debian, sandbox, *words)
    assert again.returncode == 0, again.stdout + again.stderr
    assert debian.read("/var/log/apt/history.log") == history, "something was installed again"
    assert moved(sandbox, 1, "READY") - moved(sandbox, 1, "PREPARING") < installing / 2
