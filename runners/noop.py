"""noop: nothing to do, done at once. As a requirement it always holds.

Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, RequirementRunner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

__all__ = ["Noop"]

_PASSED = Outcome(Result.PASS)


class Noop(RequirementRunner):
    """Passes at once, without a process."""

    kind = "noop"
    description = "nothing: passes at once"

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return that it passed."""
        return _PASSED

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Return that it passed."""
        return _PASSED

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return that it is met."""
        return None
