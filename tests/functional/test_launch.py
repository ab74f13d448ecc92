"""An agent is begun before there is a job; where there will be none, nothing of it is left."""

import socket
import time
from pathlib import Path

import pytest

from nrunner.errors import ResultsError, UsageError
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


@pytest.mark.parametrize("again", [False, True], ids=["new", "gone on with"])
def test_the_sockets_of_a_job_that_began_are_no_other_jobs(tmp_path, again):
    """Nobody listens there yet."""
    first = Launch(plan(tmp_path, dry_run=True))
    other = first.job_id[:12] + "f" * 28
    try:
        with pytest.raises(UsageError, match=rf"^use the job id {other}: another job that runs"):
            launch(tmp_path, other, again=again)
        assert first.runtime.is_dir()
    finally:
        first.abandon()
    launch(tmp_path, other, again=again).abandon()


def launch(tmp_path: Path, job_id: str, *, again: bool) -> Launch:
    if again:
        return Launch(plan(tmp_path, dry_run=True), job_id)
    return Launch(plan(tmp_path, dry_run=True, job_id=job_id))


def test_agents_whose_controller_is_gone_keep_their_sockets(tmp_path):
    killed = Launch(plan(tmp_path, dry_run=True))
    killed.abandon(keep=True)
    agent = killed.runtime / "agent-1"
    agent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(agent / "socket"))
        listener.listen(1)
        with pytest.raises(UsageError, match="holds the sockets of agents"):
            launch(tmp_path, killed.job_id, again=False)
        launch(tmp_path, killed.job_id, again=True).abandon(keep=True)
        assert (agent / "socket").exists()
    new = launch(tmp_path, killed.job_id, again=False)
    assert not agent.exists(), "nobody listens: it is in the way"
    new.abandon()
