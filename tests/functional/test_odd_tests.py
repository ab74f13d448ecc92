"""Tests that end in odd ways, through each runner: bounded, told apart, and nothing left.

What each must come to stands in ``odd_model``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.functional import corpus, model, odd_model
from tests.functional.model import Expected
from tests.functional.sandbox import Sandbox
from tests.functional.test_payloads import assert_as_modelled, prepare


def run(sandbox: Sandbox, expected: Sequence[Expected], timeout: float = odd_model.TIMEOUT) -> None:
    """Run all of them, four at once, and hold what came of it against the model."""
    prepare(sandbox, expected, odd_model.FOLDER, timeout)
    words = ("--max-parallel-tasks", "4", "--python", sys.executable)
    end = sandbox.run("run", "payloads.json", *words)
    assert end.code == 9, end
    assert_as_modelled(sandbox, expected)
    assert not set(end.out) - {"\n"} - set(map(chr, [*range(32, 127), 0xFFFD]))


def test_odd_programs_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    run(sandbox, odd_model.PROGRAMS, model.TIMEOUT)


def test_odd_unittests_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    run(sandbox, odd_model.CASES)


@pytest.mark.timeout(120)
def test_odd_tests_of_pytest_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    sandbox.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    run(sandbox, odd_model.PYTEST)


@pytest.mark.timeout(120)
def test_odd_tests_of_robot_framework_get_the_verdicts_that_the_model_has(
    sandbox: Sandbox,
) -> None:
    run(sandbox, odd_model.ROBOT)


@pytest.mark.timeout(120)
def test_odd_tests_of_go_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    sandbox.env["GOCACHE"] = str(corpus.GO_CACHE)
    build = ["go", "test", "-count=1", "-run", "^$", "."]  # so that no test's time is spent on it
    subprocess.run(build, cwd=odd_model.FOLDER / "golang", env=sandbox.env, check=True)
    run(sandbox, odd_model.GO)


def test_there_are_sixty_odd_tests_and_more() -> None:
    kinds = (model.PROGRAMS, model.CASES, odd_model.PROGRAMS, odd_model.CASES)
    assert sum(map(len, (*kinds, odd_model.PYTEST, odd_model.ROBOT, odd_model.GO))) > 200
