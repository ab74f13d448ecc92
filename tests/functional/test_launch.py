"""An agent is begun before there is a job; where there will be none, nothing of it is left."""

import time
from pathlib import Path

import pytest

from nrunner.errors import ResultsError
from nrunner.job import run_job
from nrunner.launch import Launch
from nrunner.plan import JobPlan
from nrunner.runnable import Runnable
from nrunner.task import TaskLimits, make_tasks


def plan(tmp_path: Path, **more: object) -> JobPlan:
    tasks = make_tasks([("x", Runnable("noop", "x"), "")], TaskLimits())
    return JobPlan(tuple(tasks), tmp_path, tmp_path / "results", **more)


def wait_agents_of(launch: Launch) -> list[str]:
    """Return the agent's processes; right after its start it has no command line yet."""
    deadline = time.monotonic() + 10
    while not (found := agents_of(launch)) and time.monotonic() < deadline:
        time.sleep(0.005)
    return found


def agents_of(launch: Launch) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if str(launch.runtime).encode() in words and state != "Z":
                found.append(entry.name)
    return found


def test_a_launch_that_is_abandoned_leaves_no_agent_and_no_folder(tmp_path):
    launch = Launch(plan(tmp_path))
    assert wait_agents_of(launch)
    launch.abandon()
    assert agents_of(launch) == []
    assert not launch.runtime.exists()


def test_a_dry_run_begins_no_agent(tmp_path):
    launch = Launch(plan(tmp_path, dry_run=True))
    assert agents_of(launch) == []
    launch.abandon()


def test_a_job_that_cannot_write_its_results_leaves_no_agent(tmp_path):
    (tmp_path / "results").write_text("in the way")
    launch = Launch(plan(tmp_path))
    with pytest.raises(ResultsError):
        run_job(plan(tmp_path), [], launch)
    assert agents_of(launch) == []
    assert not launch.runtime.exists()


def test_the_agent_that_was_begun_is_the_one_that_runs_the_tasks(tmp_path):
    launch = Launch(plan(tmp_path))
    assert wait_agents_of(launch)
    assert run_job(plan(tmp_path), [], launch) == 0
    assert agents_of(launch) == []
    assert not launch.runtime.exists()
