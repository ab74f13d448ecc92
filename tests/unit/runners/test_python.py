import sys

import pytest

from nrunner.errors import RunnerError
from nrunner.runnable import Requirement
from nrunner.runners.python import Python

OWN = ".".join(map(str, sys.version_info[:3]))


def test_our_own_interpreter_is_not_started_to_be_asked() -> None:
    runner = Python()
    requirement = Requirement("python", kwargs={"version": ">=3.9,<4"})
    assert runner.is_instant(requirement)
    assert runner.check(requirement, "/") is None
    reason = runner.check(Requirement("python", kwargs={"version": "<3"}), "/")
    assert reason == f"{sys.executable} is Python {OWN}, and <3 is required"
    runner.config = {"runner.python": "/other/python"}
    assert not runner.is_instant(requirement)
    assert "no interpreter '/other/python'" in str(runner.check(requirement, "/"))
    assert not runner.is_instant(Requirement("python", "python3"))


def test_a_wrong_specifier_is_refused() -> None:
    with pytest.raises(RunnerError, match=r'key "version": .* is no clause like >=3.9'):
        Python().check(Requirement("python", kwargs={"version": "new"}), "/")
