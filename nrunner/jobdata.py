"""``jobdata/``: what a job was asked to do, in the files in which Avocado's users look for it.

The journal has all of it, and is what nrunner itself reads. Not responsible for the journal.
"""

from __future__ import annotations

import json
import re
from typing import Any

from nrunner.layout import JobFolder
from nrunner.plan import JobPlan

__all__ = ["write_jobdata"]

_NO_VARIANT = {"paths": ["/run/*"], "variant_id": None, "variant": [["/", []]]}
"""What Avocado writes where there is none."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST = 200


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
        **_variants(plan),
    }
    for name, text in texts.items():
        path = folder.jobdata / name
        path.touch(0o600)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _variants(plan: JobPlan) -> dict[str, str]:
    """Return a file for each suite with the variants of its tests."""
    suites: dict[str, dict[str, Any]] = {}
    for task in plan.tasks:
        variants = suites.setdefault(task.suite, {})
        if task.runnable.variant is not None:
            text = json.dumps(dict(task.runnable.variant), default=str)
            variants[text] = task.runnable.variant
    files = {}
    for number, (suite, variants) in enumerate(suites.items(), 1):
        name = _UNSAFE.sub("_", f"variants-{number}-{suite}" if suite else f"variants-{number}")
        text = ", ".join(variants) or json.dumps(_NO_VARIANT)
        files[f"{name[:_LONGEST]}.json"] = f"[{text}]"
    return files


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
