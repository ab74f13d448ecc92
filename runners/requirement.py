"""The child in which a requirement is checked or fulfilled, where that takes its time.

The requirement, and the configuration of the job, come as JSON in a variable: others can read
command lines, and a URL may hold a password. ``requirement check`` answers by a line on standard
output, as runner executables do; ``requirement fulfil REPORT`` says on standard output what it
does, and leaves a report. Not responsible for what a kind means (its runner class), nor for limits:
whoever started us has them.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from nrunner.errors import NrunnerError, RequirementError, RunnerError
from nrunner.result import Result
from nrunner.runnable import Requirement
from nrunner.runners import registry
from nrunner.runners.base import REQUIREMENT, Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["answer", "check", "fulfil", "main", "one_line"]

_LONGEST = 1000


def main(words: list[str]) -> int:
    """Do what the words ask for; return the exit status: 0 if the requirement holds now."""
    spec = json.loads(os.environ.pop(REQUIREMENT))
    requirement, config = Requirement.from_json(spec["requirement"]), spec.get("config") or {}
    if words[0] == "check":
        return answer(check(requirement, os.getcwd(), config))
    report = fulfil(requirement, os.getcwd(), config)
    _write(words[1], json.dumps(report).encode() + b"\n")
    return 0 if report["result"] == Result.PASS.wire else 1


def check(requirement: Requirement, base_dir: str, config: Mapping[str, Any]) -> Optional[str]:
    """Return why a requirement of a kind of ours does not hold, None if it does."""
    try:
        runner = registry.requirement_runner(requirement.kind)
        runner.config = config
        return runner.check(requirement, base_dir)
    except (NrunnerError, OSError) as error:
        return str(error)


def answer(reason: Optional[str]) -> int:
    """Say on standard output whether a requirement holds; return the exit status that says it."""
    said = {"met": True} if reason is None else {"met": False, "reason": one_line(reason)}
    print(json.dumps(said), flush=True)
    return 0 if reason is None else 1


def fulfil(requirement: Requirement, base_dir: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Make a requirement of a kind of ours hold; return how that ended.

    That is an outcome, with whether anything was `changed`.
    """
    try:
        runner = registry.requirement_runner(requirement.kind)
        runner.config = config
        reason = runner.check(requirement, base_dir)
        if reason is None:
            return {**Outcome(Result.PASS).to_json(), "changed": False}
        print(f"not met yet: {one_line(reason)}", flush=True)
        runner.fulfil(requirement, base_dir)
    except (RequirementError, OSError) as error:
        outcome = Outcome(Result.ERROR, one_line(str(error)))
    except RunnerError as error:
        outcome = Outcome(Result.ERROR, one_line(str(error)), malformed=True)
    else:
        return {**Outcome(Result.PASS).to_json(), "changed": True}
    print(outcome.fail_reason, file=sys.stderr)
    return outcome.to_json()


def one_line(text: str) -> str:
    """Return a reason as one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "..."


def _write(path: str, line: bytes) -> None:
    """Leave a report in the file that is there for it, or in a new one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(line)
