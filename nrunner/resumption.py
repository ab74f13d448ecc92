"""Going on with a job whose controller is gone: its folder, locked, and what its journal tells.

Not responsible for running it (``nrunner.job``), nor for what is taken over
(``nrunner.adoption``).
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from typing import Any

from nrunner.adoption import Adoption, adoption_of
from nrunner.errors import ResultsError
from nrunner.history import History
from nrunner.journal import Journal
from nrunner.layout import JobFolder
from nrunner.lock import JobLock
from nrunner.plan import JobPlan
from nrunner.reporter import JobClock
from nrunner.runners.procfs import boot_id

__all__ = ["Resumption"]


class Resumption:
    """A job to go on with; nobody else can meanwhile."""

    def __init__(self, folder: JobFolder) -> None:
        """Lock the folder and read the journal, cutting off a torn tail.

        Raise JobHeld if the job has a controller, JournalError or ResultsError if there is nothing
        that could be gone on with.
        """
        self.folder = folder
        self.lock = JobLock.take(folder)
        try:
            self.history = History()
            self.journal = Journal.reopen(folder.journal, self.history.visit)
            self.plan = self._plan()
        except BaseException:
            self.lock.release()
            raise
        self.history.settle_down()
        self.adoption: Adoption = adoption_of(self.history)
        self._now = time.monotonic()
        self.clock = _clock(self.history, time.time(), self._now)

    def record(self) -> dict[str, Any]:
        """Return the record that another controller goes on from here."""
        return {
            "type": "resumed",
            "epoch": self.adoption.epoch,
            "wall": time.time(),
            "monotonic": self.clock.monotonic,
            "boot_id": boot_id(),
            "time": self._now,
        }

    def notices(self) -> Iterator[str]:
        """Yield what people should know before it goes on."""
        history = self.history
        running = sum(map(len, self.adoption.running.values()))
        done = f"{len(history.verdicts)} of {history.total} tasks have their verdict"
        yield f"resumed: {done}, {running} of the others were under way"
        if self.journal.torn is not None:
            yield f"the end of the journal was torn; it is kept in {self.journal.torn}"

    def _plan(self) -> JobPlan:
        if not self.history.is_planned:
            self.journal.close()
            command = shlex.join(self.history.command)
            again = f": {command}" if command else ""
            raise ResultsError(
                f"go on with {self.folder.root}: it was cut off before its plan was complete, so"
                f" nothing of it ran; begin it again{again}"
            )
        return self.history.plan(self.folder.root)


def _clock(history: History, wall: float, monotonic: float) -> JobClock:
    """Return the job's clock for this controller, who may run after a reboot."""
    if history.boot_id == boot_id():
        return JobClock(history.wall, history.base)
    passed = max(history.now, wall - history.wall)
    return JobClock(history.wall, monotonic - passed)
