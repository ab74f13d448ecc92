"""dry-run: what would have run, and does not: ends as CANCEL at once.

It stands in a recipe for a test that is to be seen, and not to run. ``nrunner run --dry-run`` needs
no such thing: there nothing is even started.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

__all__ = ["DryRun"]

_CANCELLED = Outcome(Result.CANCEL, "Test cancelled due to --dry-run")
"""In the words of Avocado, whose users look for them."""


class DryRun(Runner):
    """Cancels at once, without a process."""

    kind = "dry-run"
    description = "what would have run: is cancelled at once"

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return that it was cancelled."""
        return _CANCELLED

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Return that it was cancelled."""
        return _CANCELLED
