"""What Robot Framework finds in files: asked in the interpreter of the tests, many at once.

Robot reads the files itself, so that what it takes for a test is one here, too; no library is
imported. Not responsible for which references are Robot's (``nrunner.resolver.robot``).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from nrunner.record import dataclass
from nrunner.resolver.base import Context
from nrunner.resolver.bounded import BoundedError, last_line, run_bounded
from nrunner.runners.self_command import self_command

__all__ = ["RobotTest", "Suite", "Suites"]

_TOGETHER = 50
"""How many files are asked about at once."""


@dataclass(frozen=True, slots=True)
class RobotTest:
    """One test of a suite."""

    suite: str
    name: str
    tags: tuple[str, ...] = ()
    doc: str = ""
    line: int = 0

    @property
    def full_name(self) -> str:
        """The name by which it is found: that of its suite, then its own."""
        return f"{self.suite}.{self.name}"

    def is_meant(self, name: str) -> bool:
        """Say whether a user may mean it by `name`, as Robot compares names and patterns."""
        pattern = _plain(name)
        return any(
            fnmatchcase(_plain(each), pattern) or _plain(each) == pattern
            for each in (self.suite, self.name, self.full_name)
        )


def _plain(name: str) -> str:
    return name.replace(" ", "").replace("_", "").casefold()


@dataclass(frozen=True, slots=True)
class Suite:
    """What is in one file."""

    tests: tuple[RobotTest, ...] = ()
    problem: str = ""
    """Why Robot finds no tests in it."""
    is_fatal: bool = False
    """Whether it is not the file's fault: nobody could be asked."""


class Suites:
    """Files by their path, each asked about once."""

    def __init__(self) -> None:
        self._known: dict[str, Suite] = {}
        self._ahead: dict[str, None] = {}

    def foresee(self, paths: Iterable[str]) -> None:
        """Take note of files that will be wanted: they are asked about together."""
        self._ahead.update(dict.fromkeys(paths))

    def of(self, path: str, context: Context) -> Suite:
        """Return what is in a file."""
        if path not in self._known:
            rest = [each for each in self._ahead if each != path and each not in self._known]
            together = [path, *rest[: _TOGETHER - 1]]
            found = _ask(together, context)
            if found[path].is_fatal and len(together) > 1:
                found = _ask([path], context)  # another one may have spoilt it
            self._known.update(found)
        return self._known[path]


def _ask(paths: list[str], context: Context) -> dict[str, Suite]:
    with tempfile.TemporaryDirectory(prefix="nrunner-") as folder:
        answer, complaints = Path(folder, "answer"), Path(folder, "stderr")
        spec = {"collect": paths, "base_dir": str(context.base_dir), "answer": str(answer)}
        argv = [*self_command("robot-child", context.python), json.dumps(spec)]
        try:
            ending = run_bounded(argv, context, stderr=complaints)
            found = json.loads(answer.read_text("ascii"))
        except BoundedError as error:
            return _failed(paths, str(error))
        except (OSError, ValueError):
            said = last_line(complaints)
            return _failed(paths, f"{context.python} {ending} without an answer{said}")
    if "" in found:
        return _failed(paths, f"{found['']['problem']} (--python names another interpreter)")
    return {path: _suite(data) for path, data in found.items()}


def _failed(paths: list[str], problem: str) -> dict[str, Suite]:
    """Return for the first one that it failed; the others may yet be asked about."""
    return {paths[0]: Suite(problem=problem, is_fatal=True)}


def _suite(data: dict[str, Any]) -> Suite:
    if "problem" in data:
        return Suite(problem=" ".join(str(data["problem"]).split()))
    tests = (
        RobotTest(each["suite"], each["name"], tuple(each["tags"]), each["doc"], each["line"] or 0)
        for each in data["tests"]
    )
    return Suite(tuple(dict.fromkeys(tests)))
