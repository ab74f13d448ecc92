"""exec-test: a program whose exit status is the result.

0 passes, anything else fails; which statuses mean skip or warn instead is configured. The
program runs in `base_dir`, so that a test given by a relative path finds its files; kwargs become
environment variables. A program that is missing shows when it is started, not here.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner
from nrunner.runners.payload import describe, program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

__all__ = ["ExecTest"]

_SKIP = "runner.exectest.exitcodes.skip"
_WARN = "runner.exectest.exitcodes.warn"
_PASSED = Outcome(Result.PASS, returncode=0)


class ExecTest(Runner):
    """Runs a program; its exit status is the result."""

    kind = "exec-test"
    description = "programs whose exit status is the result"
    configuration_used = (_SKIP, _WARN, "runner.exectest.clear_env")

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the program with its arguments; configuration that is wrong shows here."""
        if runnable.config:
            _codes(runnable.config, _SKIP)
            _codes(runnable.config, _WARN)
        return program(runnable, place)

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Return the result that the exit status stands for."""
        if end.signal is None:
            if runnable.config:
                if end.status in _codes(runnable.config, _SKIP):
                    return Outcome(Result.SKIP, describe(end), end.status)
                if end.status in _codes(runnable.config, _WARN):
                    return Outcome(Result.WARN, describe(end), end.status)
            if end.status == 0:
                return _PASSED
        return Outcome(Result.FAIL, describe(end), end.returncode)


def _codes(config: Mapping[str, Any], key: str) -> Union[list[int], tuple[int, ...]]:
    codes = config.get(key)
    if codes is None:
        return ()
    if not isinstance(codes, (list, tuple)) or any(type(code) is not int for code in codes):
        raise RunnerError(f'key "{key}": expected a list of exit statuses, got {codes!r}')
    return codes
