"""Asking whether a requirement holds, where the answer is a process's.

For a kind of ours that is a child, for others' kinds their runner executable with the word
``check``. Both answer by the last line of standard output. Not responsible for making hold what
does not (``nrunner.runners.errands``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners import registry
from nrunner.runners.base import REQUIREMENT, Command, Exit, Outcome, Place, Runner
from nrunner.runners.executable_runner import find_executable, runnable_words
from nrunner.runners.payload import describe
from nrunner.runners.self_command import self_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

__all__ = ["Checker", "can_check"]

_LONGEST_ANSWER = 64 << 10


def can_check(kind: str) -> bool:
    """Whether somebody may know how to check a requirement of this kind."""
    if kind in registry.KINDS:
        return kind in registry.REQUIREMENT_KINDS
    path = find_executable(kind)
    # The other sort of executable is older than the word.
    return path is not None and os.path.basename(path).startswith("nrunner-")


class Checker(Runner):
    """Passes if a requirement holds; fails with the reason if it does not, or nobody says so."""

    description = "whether a requirement holds"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the command that asks."""
        if runnable.kind in registry.REQUIREMENT_KINDS:
            what = Requirement(runnable.kind, runnable.uri, runnable.args, runnable.kwargs)
            python, *home = self_command("requirement")
            spec = {"requirement": what.to_json(), "config": dict(runnable.config)}
            argv = (python, "-I", "-S", *home, "check")
            return Command(argv, place.base_dir, {REQUIREMENT: json.dumps(spec)})
        path = find_executable(runnable.kind)
        if path is None:
            raise RunnerError(f'nothing on PATH checks requirements of kind "{runnable.kind}"')
        return Command((path, "check", *runnable_words(runnable)), place.base_dir)

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Believe an answer that is one, and is not contradicted by the exit status."""
        answer = _last_object(place.stdout)
        if answer.get("met") is True and end.returncode == 0:
            return Outcome(Result.PASS)
        reason = answer.get("reason")
        if not isinstance(reason, str) or not reason:
            reason = f"its check {describe(end) or 'gave no answer'}"
        return Outcome(Result.FAIL, reason, end.returncode)


def _last_object(path: str) -> dict[str, object]:
    """Return the JSON object on the last line of a file; an empty one if there is none."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _LONGEST_ANSWER))
            found = json.loads(file.read().rstrip().rpartition(b"\n")[2])
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
