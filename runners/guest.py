"""Payloads that are Python, in the interpreter of the user's choice: what their kinds share.

Which interpreter that is, how a description gets there, and what is believed of the report that
comes back. Not responsible for what runs there.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from nrunner.errors import RunnerError
from nrunner.record import replace
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Exit, Outcome, Place
from nrunner.runners.payload import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["PYTHON", "argument", "believed", "python_of", "report_path"]

PYTHON = "runner.python"
"""The setting that names the interpreter."""

_ARGUMENT_LIMIT = 100_000
"""Linux takes no argument of 128 KiB or more; a longer description goes through a file."""


def python_of(runnable: Runnable, place: Place) -> Optional[str]:
    """Return the interpreter that is configured, None for the agent's own; raise RunnerError."""
    python = runnable.config.get(PYTHON)
    if python is None:
        return None
    if not isinstance(python, str) or not python:
        raise RunnerError(f'key "{PYTHON}": expected the path of an interpreter, got {python!r}')
    return os.path.join(place.base_dir, python) if "/" in python else python


def report_path(place: Place) -> str:
    """Return where the payload is to leave its report."""
    return place.report or place.work_dir + "/.nrunner-report"


def argument(spec: Mapping[str, Any], place: Place) -> str:
    """Return a description as one word of a command: JSON, or ``@`` and a file that holds it."""
    text = json.dumps(spec)
    if len(text) <= _ARGUMENT_LIMIT:
        return text
    path = place.work_dir + "/.nrunner-spec"
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RunnerError(f"cannot write {path}: {error.strerror}") from error
    return "@" + path


def believed(report: Optional[Outcome], end: Exit) -> Outcome:
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
