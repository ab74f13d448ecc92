"""How a job ends: its last records, its reports, and its exit code.

Not responsible for what ends it (``nrunner.job``), nor for what a report looks like
(``nrunner.results``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from nrunner.errors import ExitCode, JournalError, NrunnerError, ResultsError
from nrunner.journal import Journal
from nrunner.layout import JobFolder, categorize, short_id
from nrunner.plan import JobPlan
from nrunner.record import replace
from nrunner.register import strike
from nrunner.reporter import Reporter
from nrunner.reportfile import write_reports
from nrunner.results.base import JobReport

__all__ = ["Conclusion", "keep_jobdata"]

_MOST_NAMED = 5


class Conclusion:
    """That of one job."""

    def __init__(
        self,
        plan: JobPlan,
        folder: JobFolder,
        journal: Journal,
        reporter: Reporter,
        note: Callable[[str], None],
        longest_lag: Callable[[], float],
    ) -> None:
        """`note` tells people what they should know, now and when they read the journal.

        `longest_lag` returns that of the event loop until now, in seconds.
        """
        self._plan = plan
        self._folder = folder
        self._journal = journal
        self._reporter = reporter
        self._note = note
        self._longest_lag = longest_lag

    def close(self, interrupted: str) -> JobReport:
        """Record that nothing more happens; return the job as it is then.

        `interrupted` says why it was cut short, if it was. Raise JournalError.
        """
        code = self._reporter.tally.exit_code(bool(interrupted))
        lag = round(self._longest_lag(), 6)
        job = self._reporter.now(
            time.monotonic(), exit_code=code, interrupted=interrupted, loop_lag_max=lag
        )
        closed = {"exit_code": code, "elapsed": job.elapsed, "loop_lag_max": lag}
        why = {"interrupted": interrupted} if interrupted else {}
        self._journal.append([{"type": "closed", **closed, **why}])
        self._journal.sync()
        return job

    def finish(self, job: JobReport) -> int:
        """Write what is to be there of a job that is closed; return its exit code."""
        code = ExitCode(job.exit_code)
        for problem in chain(self._write_reports(job), self._keep_elsewhere()):
            self._note(problem)
            code |= ExitCode.JOB_FAILED
        if code != job.exit_code or not self._plan.has_json:
            self._tell_exit(code)
        strike(self._folder, job.id)
        if self._plan.config.get("run.archive"):
            # With all that is told of the job in its folder, and before others hear how it ended.
            self._reporter.close_folder(replace(job, exit_code=int(code)))
            code = self._archive(code)
        self._reporter.close(replace(job, exit_code=int(code)))
        return int(code)

    def give_up(self, *, interrupted: bool) -> None:
        """Tell what is known of a job that cannot go on, and which tasks have no verdict."""
        code = self._reporter.tally.exit_code(interrupted) | ExitCode.JOB_FAILED
        lag = round(self._longest_lag(), 6)
        job = self._reporter.now(time.monotonic(), exit_code=code, loop_lag_max=lag)
        settled = self._journal.is_settled
        missing = [each.id for each in self._plan.tasks if not settled(each.number)]
        if missing:
            self._note(f"{len(missing)} tasks have no verdict: {_named(missing)}")
            again = f"nrunner jobs resume {short_id(job.id)}"
            self._note(f"once what is wrong is mended, the job can go on: {again}")
        for problem in self._write_reports(job):
            self._note(problem)
        self._reporter.close(job)

    def _write_reports(self, job: JobReport) -> Iterator[str]:
        plan = self._plan
        return write_reports(plan.writers, plan.reports, self._folder, job, self._journal)

    def _keep_elsewhere(self) -> Iterator[str]:
        """Do with the job's folder what was asked for; yield in words what could not be done."""
        keep_jobdata(self._folder, self._plan)
        config = self._plan.config
        try:
            if config.get("run.job_category"):
                categorize(self._folder, config["run.job_category"])
        except NrunnerError as error:
            yield f"could not {error}"

    def _tell_exit(self, code: ExitCode) -> None:
        """Record an exit code that is not the one with which the job was closed."""
        record = {"type": "exit", "exit_code": int(code)}
        # Who looks for results.json to know that the job is complete is told that there is none.
        kept = {} if self._plan.has_json else {"json": False}
        with contextlib.suppress(JournalError):
            self._journal.append([{**record, **kept}])

    def _archive(self, code: ExitCode) -> ExitCode:
        """Pack the job's folder; return the exit code, which was `code` until now."""
        from nrunner.archive import archive  # few want it

        try:
            left_out = archive(self._folder.root)
        except ResultsError as error:
            self._note(f"could not {error}")
            code |= ExitCode.JOB_FAILED
            self._tell_exit(code)
            return code
        if left_out:
            self._note(f"left out of {self._folder.root.name}.zip: {_named(left_out)}")
        return code


def _named(several: Sequence[str]) -> str:
    """Return as many as people care to read."""
    rest = len(several) - _MOST_NAMED
    return ", ".join(several[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def keep_jobdata(folder: JobFolder, plan: JobPlan) -> None:
    """Write what nothing of ours reads: a disk that is full costs it, and nothing else."""
    from nrunner.jobdata import write_jobdata  # there is time for it only once tests run

    with contextlib.suppress(OSError):
        write_jobdata(folder, plan)
