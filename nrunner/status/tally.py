"""The tally: how many tasks ended how, and the exit code that follows.

A pure fold over verdicts; its size does not grow with the number of tasks. Not responsible for
which verdict a task gets (``nrunner.machine``), nor for naming the tasks that never got one
(``nrunner.job`` knows them).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nrunner.errors import ExitCode
from nrunner.result import Cause, Result, Verdict

__all__ = ["Tally"]

_CODE: Mapping[Result, ExitCode] = {
    Result.FAIL: ExitCode.TESTS_FAILED,
    Result.ERROR: ExitCode.TESTS_FAILED,
    Result.INTERRUPT: ExitCode.INTERRUPTED,
}


class Tally:
    """Counts of final verdicts against the number of planned tasks."""

    def __init__(self, planned: int) -> None:
        self._planned = planned
        self._settled = 0
        self._results = dict.fromkeys(Result, 0)
        self._causes = dict.fromkeys(Cause, 0)

    def add(self, verdict: Verdict) -> None:
        """Count one task's final verdict."""
        self._settled += 1
        self._results[verdict.result] += 1
        self._causes[verdict.cause] += 1

    @property
    def planned(self) -> int:
        """How many tasks the job has."""
        return self._planned

    @property
    def settled(self) -> int:
        """How many tasks have their verdict."""
        return self._settled

    @property
    def remaining(self) -> int:
        """How many tasks have no verdict yet."""
        return max(0, self._planned - self._settled)

    @property
    def missing(self) -> int:
        """How many tasks never got a verdict: what remains once the job is over."""
        return self.remaining

    @property
    def adds_up(self) -> bool:
        """Whether each planned task has been counted, and none twice."""
        return self._settled == self._planned

    @property
    def results(self) -> Mapping[Result, int]:
        """Tasks per result, zeros included; a live view."""
        return MappingProxyType(self._results)

    @property
    def causes(self) -> Mapping[Cause, int]:
        """Tasks per cause, zeros included; a live view."""
        return MappingProxyType(self._causes)

    def exit_code(self, interrupted: bool) -> ExitCode:
        """Return the exit code of a job that is over; `interrupted` if it was cut short."""
        code = ExitCode.INTERRUPTED if interrupted else ExitCode.OK
        for result, bit in _CODE.items():
            if self._results[result]:
                code |= bit
        return code if self.adds_up else code | ExitCode.JOB_FAILED
