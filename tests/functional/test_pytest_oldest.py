"""The oldest pytest that is supported does what the one of today does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional import corpus
from tests.functional.sandbox import Sandbox
from tests.functional.test_pytest_kind import EXPECTED, SMOKE, STOPPED, STOPS, VERDICTS, run


def oldest() -> Path:
    """Return an interpreter with that pytest."""
    python = corpus.PERL.parent / "old-pytest/bin/python"
    assert python.exists(), f"{python} is not there: scripts/install-test-tools makes it"
    return python


@pytest.mark.parametrize("isolation", ["process", "module"])
def test_tests_are_found_and_end_the_same(sandbox: Sandbox, isolation: str) -> None:
    sandbox.write("test_it.py", VERDICTS, executable=False)
    flags = ("--python", str(oldest()), "--isolation", isolation, "--max-parallel-tasks", "2")
    sandbox.run("run", "test_it.py", *flags)
    found = {
        each["uri"].partition("::")[2]: (each["status"], each["fail_reason"])
        for each in sandbox.results()["tests"]
    }
    asked_only = {"TestClass", "test_nosuch"}  # in recipes
    other = {"TestClass::test_other": ("FAIL", "AssertionError: other")}
    expected = {name: told for name, told in EXPECTED.items() if name not in asked_only}
    assert found == {**expected, **other}


def test_a_test_that_is_to_end_the_run_keeps_its_verdict(sandbox: Sandbox) -> None:
    sandbox.write("conftest.py", STOPS.format(attribute="shouldstop"), executable=False)
    sandbox.write("test_it.py", SMOKE, executable=False)
    assert run(sandbox, list(STOPPED), "--python", str(oldest())) == STOPPED
