"""python-unittest: a test method, class or module, run by unittest in an interpreter of its own.

The interpreter is ``runner.python`` of the Runnable's configuration, or the agent's own; with
``runner.isolation`` it is a fork of a warm one (``process``), such a fork for all tests of a module
(``module``), or a new one (``interpreter``). kwargs
may say more than the uri: ``module`` (a dotted name instead of the uri's path), ``top`` (a folder
to put first on ``sys.path``) and ``exclude`` (tests of the module that have tasks of their own).
Not responsible for what happens inside the interpreter: ``nrunner.runners.unittest_child``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Optional, Union

from nrunner.errors import RunnerError
from nrunner.record import replace
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner, Warm
from nrunner.runners.payload import describe, environment
from nrunner.runners.self_command import self_command

__all__ = ["PythonUnittest"]

_PYTHON = "runner.python"
_ISOLATION = "runner.isolation"
_ISOLATIONS = ("process", "module", "interpreter")
_KWARGS = {"module": str, "top": str, "exclude": list}
_ARGUMENT_LIMIT = 100_000
"""Linux takes no argument of 128 KiB or more; a longer description goes through a file."""


class PythonUnittest(Runner):
    """Runs tests with unittest, in the folder and with the path of ``python -m unittest``."""

    kind = "python-unittest"
    description = "tests of Python's unittest"
    configuration_used = (_PYTHON, _ISOLATION)

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the command of an interpreter that runs the test and leaves a report."""
        report = place.report or place.work_dir + "/.nrunner-report"
        spec = {**_spec(runnable, place), "report": report}
        if place.quiet:
            spec["quiet"] = True
        argument = json.dumps(spec)
        if len(argument) > _ARGUMENT_LIMIT:
            argument = "@" + _write(place.work_dir + "/.nrunner-spec", argument)
        python = _python(runnable, place)
        argv = (*self_command("unittest-child", python), argument)
        path = os.path.join(place.base_dir, str(runnable.uri))
        env = environment(place, os.path.dirname(path))
        warm = None
        isolation = _isolation(runnable)
        if isolation == "process":
            warm = Warm(self_command("zygote", python), spec, _module(spec))
        elif isolation == "module":
            warm = Warm(self_command("zygote", python), spec, is_shared=True)
        return Command(argv, place.base_dir, env, report=report, warm=warm, answers=True)

    def company(self, runnable: Runnable) -> str:
        """Return the module of a test method; whatever else is asked for runs by itself."""
        place, _, names = str(runnable.uri).rpartition(":")
        if not place or "." not in names:
            return ""
        return "|".join((place, *(str(runnable.kwargs.get(key, "")) for key in ("module", "top"))))

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Return the report, unless there is none or the way the process ended belies it."""
        ending = describe(end) or "exited with status 0"
        if report is None:
            return Outcome(Result.ERROR, f"{ending} without a report", contract=True)
        good = report.result is not None and report.result.is_ok
        if good and end.returncode != 0:
            reason = f"reported {report.result.value}, then {ending}" if report.result else ending
            return Outcome(Result.ERROR, reason, class_name=report.class_name, contract=True)
        if end.signal is not None:
            return replace(report, fail_reason=f"{report.fail_reason}; then {ending}")
        return report


def _spec(runnable: Runnable, place: Place) -> dict[str, Any]:
    if not runnable.uri or "\0" in runnable.uri:
        raise RunnerError('kind "python-unittest" needs a uri such as "test_a.py:Class.test_b"')
    spec: dict[str, Any] = {"uri": runnable.uri, "base_dir": place.base_dir}
    for key, expected in _KWARGS.items():
        value = runnable.kwargs.get(key)
        if value is None:
            continue
        if not isinstance(value, expected):
            raise RunnerError(f'kwarg "{key}": expected a {expected.__name__}, got {value!r}')
        spec[key] = value
    return spec


def _module(spec: Mapping[str, Any]) -> str:
    """Say what has to be imported; a dotted name alone does not tell where its module ends."""
    place, colon, _ = spec["uri"].rpartition(":")
    if not colon and not place:
        place = spec["uri"]
    if not (colon or place.endswith(".py") or "module" in spec):
        return ""
    return "|".join((place, spec.get("module", ""), spec.get("top", "")))


def _python(runnable: Runnable, place: Place) -> Optional[str]:
    python = runnable.config.get(_PYTHON)
    if python is None:
        return None
    if not isinstance(python, str) or not python:
        raise RunnerError(f'key "{_PYTHON}": expected the path of an interpreter, got {python!r}')
    return os.path.join(place.base_dir, python) if "/" in python else python


def _isolation(runnable: Runnable) -> str:
    isolation = runnable.config.get(_ISOLATION, _ISOLATIONS[0])
    if isolation not in _ISOLATIONS:
        known = ", ".join(_ISOLATIONS)
        raise RunnerError(f'key "{_ISOLATION}": expected one of {known}, got {isolation!r}')
    return str(isolation)


def _write(path: str, text: str) -> str:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RunnerError(f"cannot write {path}: {error.strerror}") from error
    return path
