"""The conformance suite for runner executables, run against one of them without pytest.

Not responsible for what has to hold (``nrunner.testing.executable_contract``), nor for how it is
shown (``nrunner.cli.runner_check``).
"""

from __future__ import annotations

import enum
import re
import tempfile
import unittest
from collections.abc import Iterator, Mapping
from pathlib import Path

from nrunner.record import dataclass, field
from nrunner.runnable import Runnable
from nrunner.testing.executable_contract import (
    RequirementExecutableContract,
    RunnerExecutableContract,
)

__all__ = ["EXAMPLES", "Check", "Found", "Subject", "checks"]

EXAMPLES: Mapping[str, Mapping[str, Runnable]] = {
    "exec-test": {
        "passing": Runnable("exec-test", "/bin/true"),
        "failing": Runnable("exec-test", "/bin/false"),
        "endless": Runnable("exec-test", "/bin/sleep", ("60",)),
    },
    "noop": {"passing": Runnable("noop")},
    "tap": {
        "passing": Runnable("tap", "/bin/echo", ("1..1\nok 1",)),
        "failing": Runnable("tap", "/bin/echo", ("1..1\nnot ok 1",)),
        "endless": Runnable("tap", "/bin/sleep", ("60",)),
    },
}
"""What can be run of kinds that everybody knows."""


class Found(enum.Enum):
    """What became of a check."""

    HOLDS = "holds"
    FAILS = "fails"
    ADVICE = "advice"
    """It does not hold, and nrunner can live with that."""
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """One thing that has to hold, and whether it does."""

    text: str
    found: Found
    reason: str = ""


@dataclass(frozen=True)
class Subject:
    """The executable that is checked, and what it can run."""

    path: str
    kind: str
    runnables: Mapping[str, Runnable] = field(default_factory=dict)
    """Of the sorts ``passing``, ``failing`` and ``endless`` those that there are."""


_ADVICE = frozenset(
    {
        "test_a_recipe_says_the_same_as_words",
        "test_one_that_is_asked_to_end_ends_its_payload_and_says_so",
        "test_wrong_usage_exits_with_2_and_says_why",
    }
)
"""What others need who call it; an agent ends processes by itself, and makes no mistakes."""


def checks(subject: Subject) -> Iterator[Check]:
    """Check one thing after the other, each in a folder of its own."""
    suite = _suite(subject)
    for name in _names(type(suite)):
        text = re.sub("_", " ", name.removeprefix("test_"))
        with tempfile.TemporaryDirectory(prefix="nrunner-", ignore_cleanup_errors=True) as folder:
            try:
                getattr(suite, name)(Path(folder))
            except unittest.SkipTest as skipped:
                yield Check(text, Found.SKIPPED, str(skipped))
            except AssertionError as error:
                yield Check(text, Found.ADVICE if name in _ADVICE else Found.FAILS, str(error))
            except Exception as error:  # it may do anything that nobody has foreseen
                yield Check(text, Found.FAILS, f"{type(error).__name__}: {error}")
            else:
                yield Check(text, Found.HOLDS)


def _suite(subject: Subject) -> RunnerExecutableContract:
    with tempfile.TemporaryDirectory(prefix="nrunner-", ignore_cleanup_errors=True) as folder:
        try:
            said = _Runner(subject).capabilities(Path(folder))
        except (AssertionError, OSError):
            said = {}
    return (_Requirement if "check" in said.get("commands", ()) else _Runner)(subject)


def _names(suite: type) -> list[str]:
    """Return the names of all tests of a class, in the order in which they stand."""
    family = [each for each in reversed(suite.__mro__) if each is not object]
    return [name for each in family for name in vars(each) if name.startswith("test_")]


class _Runner(RunnerExecutableContract):
    commands = frozenset({"task-run"})  # all that nrunner itself calls it with
    connections = None
    heartbeats = False

    def __init__(self, subject: Subject) -> None:
        self.kind = subject.kind
        self._subject = subject

    def executable(self) -> list[str]:
        return [self._subject.path]

    def passing(self, folder: Path) -> Runnable:
        return self._given("passing")

    def failing(self, folder: Path) -> Runnable:
        return self._given("failing")

    def endless(self, folder: Path) -> Runnable:
        return self._given("endless")

    def _given(self, sort: str) -> Runnable:
        found = self._subject.runnables.get(sort)
        if found is None:
            raise unittest.SkipTest(f"nothing was given that is {sort} (--{sort})")
        return found


class _Requirement(_Runner, RequirementExecutableContract):
    pass
