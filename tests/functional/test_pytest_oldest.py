"""The oldest pytest that is supported does what the one of today does."""

from __future__ import annotations

import pytest

from tests.functional import corpus
from tests.functional.sandbox import Sandbox
from tests.functional.test_pytest_kind import EXPECTED, VERDICTS


@pytest.mark.parametrize("isolation", ["process", "module"])
def test_tests_are_found_and_end_the_same(sandbox: Sandbox, isolation: str) -> None:
    python = corpus.PERL.parent / "old-pytest/bin/python"
    assert python.exists(), f"{python} is not there: scripts/install-test-tools makes it"
    sandbox.write("test_it.py", VERDICTS, executable=False)
    flags = ("--python", str(python), "--isolation", isolation, "--max-parallel-tasks", "2")
    sandbox.run("run", "test_it.py", *flags)
    found = {
        each["uri"].partition("::")[2]: (each["status"], each["fail_reason"])
        for each in sandbox.results()["tests"]
    }
    asked_only = {"TestClass", "test_nosuch"}  # in recipes
    other = {"TestClass::test_other": ("FAIL", "AssertionError: other")}
    expected = {name: told for name, told in EXPECTED.items() if name not in asked_only}
    assert found == {**expected, **other}
