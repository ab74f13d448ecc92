"""Tests that need packages of the distribution which their image has not: installed once, kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nrunner.spawners.podman.layers import LAYER_LABEL
from tests.containers import podman
from tests.debian_image import PACKAGES, debian_image
from tests.functional.sandbox import Sandbox
from tests.functional.test_podman_run import box, check_nothing_left, run

__all__ = ["box"]

TEXT = '''
import unittest
from pathlib import Path

class T(unittest.TestCase):
    def test_first(self):
        """
        :nrunner: requires={"type": "file", "uri": "mylib.py"}
        :nrunner: requires={"type": "package", "name": "%s"}
        :nrunner: requires={"type": "package", "name": "%s"}
        """
        for name in ("%s", "%s"):
            self.assertEqual(Path("/usr/share", name, "here").read_text(), "here\\n")

    def test_second(self):
        """:nrunner: requires={"type": "file", "uri": "mylib.py"}"""
'''


@pytest.fixture
def layers() -> Iterator[set[str]]:
    """Return the ids of prepared images that were there before; others are removed afterwards."""
    before = prepared()
    yield before
    for image in prepared() - before:
        podman("rmi", "-f", image)


def prepared() -> set[str]:
    """Return the ids of images that were prepared from the one of Debian, and of no others."""
    base = podman("image", "inspect", "-f", "{{.Id}}", debian_image())
    wanted = f"label={LAYER_LABEL}.base={base}"
    return set(podman("images", "-q", "--no-trunc", "--filter", wanted).split())


def moved(box: Sandbox, number: int, phase: str) -> float:
    """Return when a task came to a phase."""
    moves = [each for each in box.moves() if (each["task"], each["phase"]) == (number, phase)]
    return float(moves[0]["time"])


def test_packages_are_installed_once_and_hold_up_nobody_else(
    box: Sandbox, layers: set[str]
) -> None:
    box.write("test.py", TEXT % (PACKAGES * 2))
    box.write("mylib.py", "")
    words = ("test.py", "--podman-image", debian_image(), "--max-parallel-tasks", "2")
    first = run(box, *words).wait()
    assert first.code == 0, first.out + first.err
    assert moved(box, 2, "FINISHED") < moved(box, 1, "READY"), "the second waited for the first"
    assert len(prepared() - layers) == 1
    check_nothing_left(box)
    installing = moved(box, 1, "READY") - moved(box, 1, "PREPARING")
    again = run(box, *words).wait()
    assert again.code == 0, again.out + again.err
    assert len(prepared() - layers) == 1
    assert moved(box, 1, "READY") - moved(box, 1, "PREPARING") < installing / 2
    check_nothing_left(box)
