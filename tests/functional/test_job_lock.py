"""Who may run a job: the lock on its folder, held by a real controller, free once that is dead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nrunner.layout import JobFolder
from nrunner.lock import JobHeld, JobLock, JobState, state_of
from tests.functional.sandbox import Run, Sandbox, wait_until


@pytest.fixture
def sleeper(sandbox: Sandbox) -> Iterator[Run]:
    """Return a job whose only test sleeps."""
    sandbox.write("sleep", "#!/bin/sh\nexec sleep 60\n")
    run = sandbox.start("run", "./sleep")
    run.wait_started(1)
    yield run
    run.process.kill()
    run.process.communicate()


def folder_of(run: Run) -> JobFolder:
    return JobFolder(run.sandbox.job)


def test_a_job_that_runs_cannot_be_taken_by_another_controller(sleeper: Run) -> None:
    folder = folder_of(sleeper)
    with pytest.raises(JobHeld, match=f"held by process {sleeper.pid} on "):
        JobLock.take(folder)
    status = state_of(folder)
    assert (status.state, status.holder.pid) == (JobState.RUNNING, sleeper.pid)


def test_the_lock_of_a_killed_controller_is_free_while_its_agent_lives(sleeper: Run) -> None:
    folder = folder_of(sleeper)
    sleeper.process.kill()
    sleeper.process.communicate()
    assert len(sleeper.sandbox.agents()) == 2
    status = state_of(folder)
    assert status.state is JobState.INTERRUPTED
    assert status.hint == f"nrunner jobs resume {folder.job_id[:12]}"
    JobLock.take(folder).release()


def test_no_process_that_a_job_starts_has_its_lock_open(sleeper: Run) -> None:
    lock = folder_of(sleeper).lock
    others = set(sleeper.sandbox.running()) - {sleeper.pid}
    assert len(others) >= 3  # guardian, agent and test
    links = [link for pid in others for link in Path(f"/proc/{pid}/fd").iterdir()]
    assert lock not in [link.readlink() for link in links if link.is_symlink()]


def test_a_job_whose_control_socket_is_gone_is_borked(sleeper: Run) -> None:
    folder = folder_of(sleeper)
    wait_until(lambda: '"serving"' in folder.lock.read_text(), "its socket is up")
    assert folder.control_socket is not None
    folder.control_socket.unlink()
    status = state_of(folder)
    assert (status.state, status.hint) == (JobState.BORKED, f"kill -KILL {sleeper.pid}")


def test_a_job_at_its_end_is_complete_and_free(sandbox: Sandbox) -> None:
    sandbox.run("run", "/bin/true")
    assert state_of(JobFolder(sandbox.job)).state is JobState.COMPLETE
    JobLock.take(JobFolder(sandbox.job)).release()
