"""Kinds that are run by a runner executable of their own, in any language.

``nrunner-runner-KIND`` or ``avocado-runner-KIND`` on PATH is called with the command line of
docs/protocol.md and reports by status messages to a socket of its attempt. Not responsible for the
executables that ship with nrunner (``nrunner.runners.executable``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence

from nrunner.errors import RunnerError
from nrunner.record import replace
from nrunner.runnable import Runnable, tags_to_json
from nrunner.runners import registry
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

__all__ = [
    "EXECUTABLES",
    "ExecutableRunner",
    "find_executable",
    "find_runner",
    "named_executable",
    "runnable_words",
    "task_run_words",
]

EXECUTABLES = "runner.executables"
"""Key of the configuration that names executables, by kind."""

_PREFIXES = ("nrunner-runner-", "avocado-runner-")

_NOTHING: Mapping[str, Any] = {}

_found: dict[tuple[str, ...], str] = {}
"""The path of each executable that was looked for and found, by its kind and by where."""


def find_runner(
    kind: str, socket: str, config: Mapping[str, Any] = _NOTHING, base_dir: str = ""
) -> Runner:
    """Return the runner for a kind; raise RunnerError if there is none here.

    To `socket` an executable is to send its status messages; `config` may name one
    (``runner.executables``), which is preferred to a class of ours.
    """
    named = named_executable(kind, config, base_dir) if EXECUTABLES in config else None
    if named is None and kind in registry.KINDS:
        return registry.runner(kind)
    key = (kind, *_beside(config, base_dir))
    path = named or _found.get(key) or find_executable(kind, config, base_dir)
    if path is None:
        return registry.runner(kind)
    if named is None:
        _found[key] = path
    return ExecutableRunner(kind, path, socket)


def named_executable(kind: str, config: Mapping[str, Any], base_dir: str) -> Optional[str]:
    """Return the path of the executable that `config` names for a kind, None if it names none.

    Raise RunnerError if that is not there.
    """
    import shutil

    named = config.get(EXECUTABLES)
    program = named.get(kind) if isinstance(named, Mapping) else None
    if program is None:
        return None
    path = None
    if isinstance(program, str) and program:
        path = shutil.which(os.path.join(base_dir, program) if "/" in program else program)
    if path is None:
        raise RunnerError(f'"{EXECUTABLES}" names {program!r} for kind "{kind}": no such program')
    return os.path.abspath(path)


def find_executable(
    kind: str, config: Mapping[str, Any] = _NOTHING, base_dir: str = ""
) -> Optional[str]:
    """Return the path of the runner executable for `kind`, None if there is none.

    It is looked for beside the interpreter of the tests, and on PATH.
    """
    if "/" in kind or "\0" in kind:
        return None
    own = _beside(config, base_dir)
    for prefix in _PREFIXES:
        for folder in (*own, *os.get_exec_path()):
            path = os.path.join(folder, prefix + kind)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None


def _beside(config: Mapping[str, Any], base_dir: str) -> tuple[str, ...]:
    """Return the folder of the tests' interpreter, if it is called by a path."""
    python = config.get("runner.python")
    if not isinstance(python, str) or "/" not in python or "\0" in python:
        return ()
    folder = os.path.dirname(os.path.join(base_dir, python))
    return (folder,) if folder.startswith("/") else ()


def task_run_words(
    runnable: Runnable, task_id: str, job_id: str, output_dir: str, socket: str
) -> list[str]:
    """Return the arguments that have a runner executable run a task."""
    words = ["task-run", "-i", task_id]
    if job_id:
        words += ["-j", job_id]
    folder = ["output_dir=" + output_dir]
    return [*words, *runnable_words(runnable, folder), "-s", socket]


def runnable_words(runnable: Runnable, more: Sequence[str] = ()) -> list[str]:
    """Return the arguments that describe a Runnable; `more` go before its own KEY=VALUE words."""
    words = ["-k", runnable.kind]
    if runnable.uri is not None:
        words += ["-u", runnable.uri]
    words += ["-c", json.dumps(dict(runnable.config))]
    for arg in runnable.args:
        words += ["-a", _argument(arg)]
    if runnable.tags:
        words.append("tags=json:" + json.dumps(tags_to_json(runnable.tags)))
    if runnable.variant is not None:
        words.append("variant=json:" + json.dumps(dict(runnable.variant)))
    words += more
    return words + [f"{key}={_value(value)}" for key, value in runnable.kwargs.items()]


class ExecutableRunner(Runner):
    """Runs its kind by an executable that speaks for itself."""

    def __init__(self, kind: str, path: str, socket: str) -> None:
        self.kind = kind
        self.description = path
        self._path = path
        self._socket = socket

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the executable with its command line."""
        asks: tuple[str, ...] = ()
        # One of an environment that is not activated needs what else is in there.
        home = os.path.dirname(self._path)
        first = home if home in _beside(runnable.config, place.base_dir) else ""
        if os.path.basename(self._path).startswith("avocado-"):
            # It takes no other settings than those that it names.
            config, asks = self._strict(runnable.config)
            runnable = replace(runnable, config=config)
        words = task_run_words(runnable, place.task_id, place.job_id, place.log_dir, self._socket)
        argv = (*asks, self._path, *words)
        if any("\0" in word for word in argv):
            raise RunnerError("a runner executable cannot be given a NUL byte")
        # What it leaves when it is killed goes with the attempt.
        env = {"TMPDIR": place.work_dir}
        return Command(argv, place.base_dir, env, speaks=True, first_on_path=first)

    def _strict(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the settings that it takes, and what asks it before it is called, if need be."""
        from nrunner.runners.capability import Memory, foreign, taken

        left = foreign(config)
        if not left:
            return {}, ()
        file = f"{os.path.dirname(self._socket)}/capabilities"
        capability = Memory(file).recall(self._path)
        if capability is not None:
            return taken(left, capability), ()
        from nrunner.runners.self_command import self_command

        python, *home = self_command("introduce")
        return {}, (python, "-I", "-S", *home, file, json.dumps(left))

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Believe the executable's ``finished`` message if its own end does not contradict it."""
        if report is None:
            how = f"status {end.status}" if end.signal is None else f"signal {end.signal}"
            reason = f"{self._path} ended with {how} and without a finished message"
            return Outcome(None, reason, end.returncode, contract=True)
        if end.signal is not None:
            said = report.to_json()["result"]
            reason = f"{self._path} said {said!r}, then signal {end.signal} ended it"
            return Outcome(None, reason, end.returncode, contract=True)
        if report.fail_class and not report.fail_reason:
            return replace(report, fail_reason=report.fail_class)
        return report


def _argument(arg: str) -> str:
    if arg.startswith(("-", "base64:")):
        return "base64:" + base64.b64encode(arg.encode("utf-8", "surrogateescape")).decode()
    return arg


def _value(value: Union[str, Mapping[str, Any], Any]) -> str:
    if isinstance(value, str) and not value.startswith("json:"):
        return value
    return "json:" + json.dumps(value)
