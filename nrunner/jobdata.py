"""``jobdata/``: what a job was asked to do, in the files in which Avocado's users look for it.

The journal has all of it, and is what nrunner itself reads. Not responsible for the journal.
"""

from __future__ import annotations

import json
from typing import Any

from nrunner.layout import JobFolder
from nrunner.plan import JobPlan

__all__ = ["write_jobdata"]


def write_jobdata(folder: JobFolder, plan: JobPlan) -> None:
    """Write the files, unless they are there; raise OSError."""
    if folder.jobdata.exists():
        return
    folder.jobdata.mkdir(0o700)
    references = list(dict.fromkeys(task.reference for task in plan.tasks))
    # Lists are written as Avocado does: as Python would have them.
    texts = {
        "args.json": json.dumps(_settings(plan, references), default=str),
        "cmdline": repr(list(plan.command)),
        "pwd": str(plan.base_dir),
        "test_references": repr(references),
    }
    for name, text in texts.items():
        path = folder.jobdata / name
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _settings(plan: JobPlan, references: list[str]) -> dict[str, Any]:
    return {
        "resolver.references": references,
        "run.dry_run": plan.dry_run,
        "run.env": dict(plan.payload_env),
        "run.fail_fast": plan.fail_fast,
        "run.job_timeout": plan.job_timeout,
        "run.max_parallel_tasks": plan.max_parallel,
        "run.results": list(plan.writers),
        "run.results_dir": str(plan.results_dir),
        "run.spawner": plan.spawner,
        **plan.config,
    }
