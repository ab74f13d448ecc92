"""What the agents of a job are told before its first task: settings, from the plan. Pure.

Not responsible for telling them (``nrunner.environment``), nor for what they make of it.
"""

from __future__ import annotations

import os
from typing import Any

from nrunner.layout import JobFolder
from nrunner.plan import JobPlan

__all__ = ["agent_settings", "common_folder"]

_FOR_RUNNERS = ("cache.", "runner.", "sysinfo.collect.")
"""Settings that reach agents."""
_FAR = (
    *("fetch_most_bytes", "fetch_most_files"),
    *("tree_exclude", "tree_most_bytes", "tree_most_files"),
)
"""What is set for devices and matters wherever none of our files are seen."""
_LEASED_FOR = 3600.0
"""Seconds for which an agent on a device goes on alone, unless a setting says otherwise."""
_COMMON = "AVOCADO_TESTS_COMMON_TMPDIR"
"""Avocado's name for a folder that all tests of a job share."""
_SYSINFO = "AVOCADO_SYSINFODIR"
"""Avocado's name for the folder of what was known of the system before the tests."""


def common_folder(plan: JobPlan, slots_dir: str) -> str:
    """Return a temporary folder that all tests share, where they see our files; else empty."""
    alone = plan.spawner != "process" or os.environ.get(_COMMON)
    return "" if alone else f"{slots_dir}/common"


def agent_settings(plan: JobPlan, job_id: str, folder: JobFolder, slots_dir: str) -> dict[str, Any]:
    """Return what an agent gets as its ``settings``: see docs/agent.md."""
    runner = {key: plan.config[key] for key in plan.config if key.startswith(_FOR_RUNNERS)}
    if (plan.config.get("sysinfo.survey") or {}).get("test"):
        runner["sysinfo.survey"] = plan.config["sysinfo.survey"]
    # The folder is one of ours: elsewhere there is none of that name.
    ours = {key: runner.pop(key) for key in ("cache.dir",) if key in runner}
    return {
        "job_id": job_id,
        "base_dir": str(plan.base_dir),
        "results_dir": str(folder.test_results),
        "slots_dir": slots_dir,
        "spool_dir": str(folder.spools),
        "env": _env(plan, folder, slots_dir),
        "config": {**runner, **ours} if plan.spawner == "process" else runner,
        "our_config": ours,
        **_deadlines(plan),
        **{name: plan.config[f"ssh.{name}"] for name in _FAR if f"ssh.{name}" in plan.config},
    }


def _env(plan: JobPlan, folder: JobFolder, slots_dir: str) -> dict[str, str]:
    """Return the variables of payloads; what people set comes last."""
    env = {}
    common = common_folder(plan, slots_dir)
    if common:
        env[_COMMON] = common
    if plan.spawner == "process" and (plan.config.get("sysinfo.survey") or {}).get("job"):
        env[_SYSINFO] = str(folder.sysinfo / "pre")
    return {**env, **plan.payload_env}


def _deadlines(plan: JobPlan) -> dict[str, float]:
    names = ("orphan_deadline", "answer_deadline")
    found = {name: plan.config.get(f"agent.{name}") for name in names}
    if plan.spawner == "ssh":
        # Over links that may be lost for long, for as long as the device is leased.
        found["orphan_deadline"] = plan.config.get("ssh.orphan_deadline", _LEASED_FOR)
    return {name: value for name, value in found.items() if value is not None}
