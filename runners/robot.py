"""robot: a test or a suite of Robot Framework, run by Robot in the interpreter of the tests.

The uri is ``suite.robot:Suite.Test``, or ``suite.robot`` for all that is in it, with one verdict;
args are options for Robot, kwargs and the parameters of a variant its variables. Robot's
``output.xml`` is kept in the folder for output. Not responsible for what happens inside the
interpreter: ``nrunner.runners.robot_child``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from nrunner.runnable import Runnable
from nrunner.runners.base import Place
from nrunner.runners.payload import variant_words
from nrunner.runners.python_test import PythonTest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Robot"]


class Robot(PythonTest):
    """Runs tests with Robot Framework, as ``python -m robot`` does."""

    kind = "robot"
    description = "tests and suites of Robot Framework"
    child = "robot-child"
    zygote = "robot-zygote"
    example = "suite.robot:Suite.Test"

    def module(self, spec: Mapping[str, Any]) -> str:
        """Say that tests share nothing but Robot itself."""
        return ""

    def _spec(self, runnable: Runnable, place: Place) -> dict[str, Any]:
        spec = super()._spec(runnable, place)
        spec["output_dir"] = place.output_dir
        spec["options"] = [*_variables(runnable), *runnable.args]
        return spec


def _variables(runnable: Runnable) -> Iterator[str]:
    values = dict(runnable.kwargs)
    if runnable.variant is not None:
        values = {**variant_words(runnable.variant), **values}
    for name, value in values.items():
        yield "--variable"
        yield f"{name}:{value if isinstance(value, str) else json.dumps(value)}"
