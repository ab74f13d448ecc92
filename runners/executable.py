"""The runner executables, ``nrunner-runner-KIND``: one Runnable or task, reported by messages.

They speak the command line and the messages of docs/protocol.md, so that other tools that know
runner executables can use them. The same runner classes serve the agent, which needs no
executable. Usage errors exit with 2, everything else with 0, whatever became of the test; but
``check`` (docs/requirements.md) exits with 1 if a requirement does not hold.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Optional

from nrunner.errors import NrunnerError, UsageError
from nrunner.runnable import Requirement
from nrunner.runners import registry
from nrunner.runners.call import Call, read_call, read_recipe
from nrunner.runners.standalone import run_alone

__all__ = ["main"]

_COMMANDS = ("capabilities", "runnable-run", "runnable-run-recipe", "task-run", "task-run-recipe")


def main(argv: Optional[list[str]] = None) -> int:
    """Run the command that `argv`, or this process's command line, names."""
    words = list(sys.argv if argv is None else argv)
    kind = _own_kind(words[0])
    try:
        if words[1:2] == ["check"]:
            return _check(read_call(words[2:], kind, task=False))
        call = _read(words[1:], kind)
        if call is None:
            return 0
        run_alone(registry.runner(call.runnable.kind), call)
    except NrunnerError as error:
        print(f"{os.path.basename(words[0])}: {error}", file=sys.stderr)
        return 2
    return 0


def _own_kind(name: str) -> Optional[str]:
    _, found, kind = os.path.basename(name).rpartition("-runner-")
    return kind if found and kind else None


def _read(words: list[str], kind: Optional[str]) -> Optional[Call]:
    """Return what to run, None where a word on standard output was all."""
    command, rest = (words[0], words[1:]) if words else ("", [])
    if command == "capabilities":
        _print_capabilities(kind)
        return None
    if command in ("-h", "--help"):
        print(_usage())
        return None
    if command not in _COMMANDS:
        raise UsageError(f"unknown command {command!r}\n{_usage()}")
    task = command.startswith("task")
    if not command.endswith("recipe"):
        return read_call(rest, kind, task=task)
    if len(rest) != 1:
        raise UsageError(f"{command} takes the path of one recipe")
    return read_recipe(rest[0], task=task)


def _check(call: Call) -> int:
    """Say whether a requirement holds; return the exit status that says the same."""
    from nrunner.runners import requirement

    what = call.runnable
    registry.requirement_runner(what.kind)  # so that no other kind is asked about
    asked = Requirement(what.kind, what.uri, what.args, what.kwargs)
    return requirement.answer(requirement.check(asked, os.getcwd(), what.config))


def _usage() -> str:
    return (
        "usage: capabilities\n"
        "       check [-k KIND] [-u URI] [-a ARG]... [KEY=VALUE]...   (of requirements)\n"
        "       runnable-run [-k KIND] [-u URI] [-c JSON] [-a ARG]... [KEY=VALUE]...\n"
        "       runnable-run-recipe FILE\n"
        "       task-run -i ID [-j JOB] [-t CATEGORY] [-s STATUS-URI]... and the above\n"
        "       task-run-recipe FILE"
    )


def _print_capabilities(kind: Optional[str]) -> None:
    import json

    kinds = sorted(registry.KINDS) if kind is None else [kind]
    used = {key for each in kinds for key in registry.runner(each).configuration_used}
    commands = list(_COMMANDS)
    if registry.REQUIREMENT_KINDS.intersection(kinds):
        commands.insert(1, "check")
    facts: dict[str, Any] = {"runnables": kinds, "commands": commands}
    print(json.dumps({**facts, "configuration_used": sorted(used)}))
