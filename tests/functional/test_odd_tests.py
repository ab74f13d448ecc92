"""Tests that end in odd ways, through each runner: bounded, told apart, and nothing left.

What each must come to stands in ``odd_model`` and ``odd_golang``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.functional import corpus, model, odd_golang, odd_model
from tests.functional.model import Expected
from tests.functional.sandbox import WITHIN, Sandbox
from tests.functional.test_payloads import assert_as_modelled, prepare


def run(
    sandbox: Sandbox,
    expected: Sequence[Expected],
    timeout: float = odd_model.TIMEOUT,
    within: float = WITHIN,
) -> None:
    """Run all of them, four at once, and hold what came of it against the model."""
    prepare(sandbox, expected, odd_model.FOLDER, timeout)
    words = ("--max-parallel-tasks", "4", "--python", sys.executable)
    end = sandbox.start("run", "payloads.json", *words).wait(within)
    assert end.code == 9, end
    assert_as_modelled(sandbox, expected)
    assert end.out.replace("\n", "").isprintable()


def test_odd_programs_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    run(sandbox, odd_model.PROGRAMS, model.TIMEOUT)


@pytest.mark.timeout(120)
def test_odd_tests_of_pytest_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    sandbox.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    run(sandbox, odd_model.PYTEST)


@pytest.mark.timeout(120)
def test_odd_tests_of_robot_framework_get_the_verdicts_that_the_model_has(
    sandbox: Sandbox,
) -> None:
    run(sandbox, odd_model.ROBOT)


@pytest.mark.timeout(180)
def test_odd_tests_of_go_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    sandbox.env["GOCACHE"] = str(corpus.GO_CACHE)
    # Built before, so that no test's time is spent on it: what is called is `true PROGRAM`.
    build = ["go", "test", "-count=1", "-exec", "true", "./..."]
    subprocess.run(build, cwd=odd_model.FOLDER / "golang", env=sandbox.env, check=True)
    run(sandbox, odd_golang.GO, within=150)
