"""What the kinds of tests that are written in Python have in common.

A test runs in an interpreter of its own: that of ``runner.python`` in the Runnable's
configuration, or the agent's own. With ``runner.isolation`` it is a fork of a warm one
(``process``), such a fork for all tests of a module (``module``), or a new one (``interpreter``).
Not responsible for what a kind's uri and kwargs mean, nor for what happens inside the interpreter.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional, Union

from nrunner.errors import RunnerError
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner, Warm
from nrunner.runners.guest import PYTHON, argument, believed, python_of, report_path
from nrunner.runners.payload import environment
from nrunner.runners.self_command import self_command

__all__ = ["PythonTest"]

_ISOLATION = "runner.isolation"
_ISOLATIONS = ("process", "module", "interpreter")


class PythonTest(Runner):
    """Starts an interpreter that runs a test and leaves a report."""

    configuration_used = (PYTHON, _ISOLATION)
    child = ""
    """The entry that runs one test (``nrunner.runners.entry``)."""
    zygote = ""
    """The entry of the warm interpreter."""
    example = ""
    """A uri, for whoever gave none."""
    kwargs: tuple[tuple[str, type], ...] = ()
    """Those that mean something, and their types."""

    def module(self, spec: Mapping[str, Any]) -> str:
        """Say what has to be imported for a test; empty where that cannot be told."""
        raise NotImplementedError

    def file_of(self, uri: str) -> str:
        """Return the path in a uri, by which the test's own folder is known."""
        return uri

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the command of an interpreter that runs the test and leaves a report."""
        report = report_path(place)
        spec = {**self._spec(runnable, place), "report": report}
        if place.quiet:
            spec["quiet"] = True
        python = python_of(runnable, place)
        argv = (*self_command(self.child, python), argument(spec, place))
        path = os.path.join(place.base_dir, self.file_of(str(runnable.uri)))
        env = environment(place, os.path.dirname(path))
        warm = None
        isolation = _isolation(runnable)
        if isolation == "process":
            warm = Warm(self_command(self.zygote, python), spec, self.module(spec))
        elif isolation == "module":
            warm = Warm(self_command(self.zygote, python), spec, is_shared=True)
        return Command(argv, place.base_dir, env, report=report, warm=warm, answers=True)

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Return the report, unless there is none or the way the process ended belies it."""
        return believed(report, end)

    def _spec(self, runnable: Runnable, place: Place) -> dict[str, Any]:
        if not runnable.uri or "\0" in runnable.uri:
            raise RunnerError(f'kind "{self.kind}" needs a uri such as "{self.example}"')
        spec: dict[str, Any] = {"uri": runnable.uri, "base_dir": place.base_dir}
        for key, expected in self.kwargs:
            value = runnable.kwargs.get(key)
            if value is None:
                continue
            if not isinstance(value, expected):
                raise RunnerError(f'kwarg "{key}": expected a {expected.__name__}, got {value!r}')
            spec[key] = value
        return spec


def _isolation(runnable: Runnable) -> str:
    isolation = runnable.config.get(_ISOLATION, _ISOLATIONS[0])
    if isolation not in _ISOLATIONS:
        known = ", ".join(_ISOLATIONS)
        raise RunnerError(f'key "{_ISOLATION}": expected one of {known}, got {isolation!r}')
    return str(isolation)
