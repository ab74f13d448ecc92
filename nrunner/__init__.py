"""nrunner runs tests of every kind, many at once, wherever they must run.

Importing the package is cheap on purpose: names are loaded when they are first used, since a
runner executable may start once per task.
"""

from __future__ import annotations

TYPE_CHECKING = False  # loading typing takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from nrunner.api import Job, JobResult, Suite
    from nrunner.errors import ExitCode, NrunnerError
    from nrunner.phase import Phase
    from nrunner.result import Cause, Result, Verdict
    from nrunner.runnable import Requirement, Runnable
    from nrunner.task import Task

__all__ = [
    "Cause",
    "ExitCode",
    "Job",
    "JobResult",
    "NrunnerError",
    "Phase",
    "Requirement",
    "Result",
    "Runnable",
    "Suite",
    "Task",
    "Verdict",
    "__version__",
]

__version__ = "0.1.0"

_HOMES = {
    "Cause": "result",
    "ExitCode": "errors",
    "Job": "api",
    "JobResult": "api",
    "NrunnerError": "errors",
    "Phase": "phase",
    "Requirement": "runnable",
    "Result": "result",
    "Runnable": "runnable",
    "Suite": "api",
    "Task": "task",
    "Verdict": "result",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nrunner.{home}"), name)


def __dir__() -> list[str]:
    return __all__
