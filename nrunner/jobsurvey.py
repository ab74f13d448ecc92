"""The surveys of a job: of the system it is controlled from, before and after its tests.

Not responsible for what is in them, nor for how they are made (``nrunner.sysinfo``), nor for those
of tests, which agents make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrunner.errors import ResultsError
from nrunner.offload import offload

if TYPE_CHECKING:
    from nrunner.sysinfo import Survey

__all__ = ["JobSurveys"]


class JobSurveys:
    """Makes the surveys that a job wants, and ends one for which nobody waits any more."""

    def __init__(
        self, folder: Path, wanted: Mapping[str, Any], note: Callable[[str], None]
    ) -> None:
        """`note` is told in words what is not complete."""
        self._folder = folder
        self._wanted = wanted
        self._note = note
        self._current: Survey | None = None
        self._is_hurried = False

    def hurry(self, *, kill: bool) -> None:
        """Note that the job is to end: nobody waits for a survey that is being made now.

        After a `kill`, or where the first one was ended, there is none any more.
        """
        self._is_hurried = self._is_hurried or kill or self._current is not None
        if self._current is not None:
            self._current.end()

    async def make(self, when: str, *, failed: bool = False) -> None:
        """Collect what is known of this system, if the job is to; an earlier survey stays."""
        folder = self._folder / when
        if not self._wanted.get("job") or self._is_hurried or folder.exists():
            return
        from nrunner.sysinfo import Survey  # few jobs need it

        try:
            survey = self._current = Survey(folder, self._wanted, failed=failed)
            try:
                problem = await offload(survey.wait)
            finally:
                self._current = None
                survey.end()
        except ResultsError as error:
            problem = str(error)
        if problem:
            self._note(f"system information is not complete: {problem}")
