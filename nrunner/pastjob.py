"""A job as its journal tells it, for whoever only wants to know: nothing of it is changed.

Not responsible for going on with it (``nrunner.resumption``).
"""

from __future__ import annotations

from nrunner.errors import ExitCode
from nrunner.history import History
from nrunner.journal import Journal
from nrunner.layout import JobFolder
from nrunner.results.base import JobReport, report_options
from nrunner.status.tally import Tally

__all__ = ["PastJob"]


class PastJob:
    """A job that is over, was cut off, or runs elsewhere."""

    def __init__(self, folder: JobFolder) -> None:
        """Read the journal; raise JournalError if that is not possible."""
        self.folder = folder
        self.history = History()
        self.journal = Journal.look_at(folder.journal, self.history.visit)

    @property
    def writers(self) -> tuple[str, ...]:
        """The reports that it has, or would have, in its folder."""
        return self.history.writers

    def report(self) -> JobReport:
        """Return what reports say about the job as a whole."""
        history = self.history
        tally = Tally(history.total)
        for verdict in history.verdicts.values():
            tally.add(verdict)
        closed = history.closed or {}
        cut_off = tally.exit_code(bool(history.interrupted)) | ExitCode.JOB_FAILED
        return JobReport(
            history.id,
            self.folder.root,
            history.command,
            history.total,
            history.wall,
            closed.get("elapsed", history.now),
            dict(tally.results),
            dict(tally.causes),
            int(closed.get("exit_code", cut_off)),
            history.interrupted,
            history.facts,
            closed.get("loop_lag_max"),
            report_options(history.config),
        )
