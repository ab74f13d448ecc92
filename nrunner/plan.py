"""JobPlan: everything that is decided before a job begins.

Made by the command line from configuration and resolutions, carried out by ``nrunner.job``.
Not responsible for where a value came from; that is ``nrunner.config``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrunner.record import dataclass, field
from nrunner.task import Task

__all__ = ["JobPlan", "ReportTarget"]


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """A report that was asked for beside those in the job's folder."""

    writer: str
    """Name of a result plugin (``json``, ``tap``)."""
    target: str
    """Path of a file, or ``-`` for standard output."""


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What one job is to do."""

    tasks: tuple[Task, ...]
    base_dir: Path
    """Where the user is: relative uris start here."""
    results_dir: Path
    """Job folders are made in here."""
    command: tuple[str, ...] = ()
    """The command line, for reports: without what is secret of URLs."""
    spawner: str = "process"
    max_parallel: int | None = 1
    """How many tasks run at once; None for what is usual where they run."""
    job_timeout: float | None = None
    """Seconds."""
    fail_fast: bool = False
    dry_run: bool = False
    payload_env: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    """``runner.*``, ``spawner.*`` and ``status.*`` keys that plugins read."""
    writers: tuple[str, ...] = ("json", "xunit", "tap", "html")
    """Result plugins that write into the job's folder."""
    reports: tuple[ReportTarget, ...] = ()
    suites_in_order: bool = True
    """Whether a suite starts only when the one before it is done."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Carried into the job's report (shuffle seed, ignored references, ...)."""
    job_id: str = ""
    """The id that the job has to have; empty if any will do."""

    @property
    def has_json(self) -> bool:
        """Whether results.json is written, by which a job is known to be complete."""
        return "json" in self.writers
