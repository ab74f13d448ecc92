"""robot: a test or a suite of Robot Framework, run by Robot in the interpreter of the tests.

The uri is ``suite.robot:Suite.Test``, or ``suite.robot`` for all that is in it, with one verdict;
args are options for Robot, kwargs and the parameters of a variant its variables. Robot's
``output.xml`` is kept in the folder for output. Not responsible for what happens inside the
interpreter: ``nrunner.runners.robot_child``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from nrunner.errors import RunnerError
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner
from nrunner.runners.guest import PYTHON, argument, believed, python_of, report_path
from nrunner.runners.payload import environment, variant_words
from nrunner.runners.self_command import self_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

__all__ = ["Robot"]


class Robot(Runner):
    """Runs tests with Robot Framework, as ``python -m robot`` does."""

    kind = "robot"
    description = "tests and suites of Robot Framework"
    configuration_used = (PYTHON,)

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the command of an interpreter that runs Robot and leaves a report."""
        uri = runnable.uri
        if not uri or "\0" in uri:
            raise RunnerError('kind "robot" needs a uri such as "suite.robot:Suite.Test"')
        report = report_path(place)
        spec: dict[str, Any] = {
            "uri": uri,
            "base_dir": place.base_dir,
            "output_dir": place.output_dir,
            "options": [*_variables(runnable), *runnable.args],
            "report": report,
        }
        if place.quiet:
            spec["quiet"] = True
        argv = (*self_command("robot-child", python_of(runnable, place)), argument(spec, place))
        env = environment(place, os.path.dirname(os.path.join(place.base_dir, uri)))
        return Command(argv, place.base_dir, env, report=report, answers=True)

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Return the report, unless there is none or the way the process ended belies it."""
        return believed(report, end)


def _variables(runnable: Runnable) -> Iterator[str]:
    values = dict(runnable.kwargs)
    if runnable.variant is not None:
        values = {**variant_words(runnable.variant), **values}
    for name, value in values.items():
        yield "--variable"
        yield f"{name}:{value if isinstance(value, str) else json.dumps(value)}"
