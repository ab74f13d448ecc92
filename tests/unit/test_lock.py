import errno
import fcntl
import json
import os
import stat
import time
from datetime import datetime
from pathlib import Path

import pytest

from nrunner.errors import ExitCode, ResultsError
from nrunner.layout import JobFolder, create_job_folder
from nrunner.lock import (
    Holder,
    JobHeld,
    JobLock,
    JobState,
    JobStatus,
    Stage,
    held_status,
    state_of,
)
from nrunner.record import replace
from nrunner.runners.procfs import boot_id, read_process

ID = "0123456789abcdef" * 2 + "01234567"
NOW = 1_800_000_000.0
HOLDER = Holder(4711, 12345, "boot", "here", NOW - 3600, Stage.SERVING)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return create_job_folder(tmp_path, ID, datetime(2026, 11, 22, 10, 15))


def close_journal(folder: JobFolder) -> None:
    lines = [b'{"type":"job","crc":"00000000"}', b'{"type":"closed","exit_code":0,"crc":"0"}', b""]
    folder.journal.write_bytes(b"\n".join(lines))


def test_a_lock_names_its_holder_in_one_line_that_only_its_user_can_read(folder):
    before = time.time()
    lock = JobLock.take(folder)
    told = json.loads(folder.lock.read_text())
    assert folder.lock.read_text().count("\n") == 1
    me = read_process(os.getpid())
    assert (told["pid"], told["start"], told["boot_id"]) == (me.pid, me.start, boot_id())
    assert told["host"] == os.uname().nodename
    assert before <= told["since"] <= time.time()
    assert stat.S_IMODE(folder.lock.stat().st_mode) == 0o600
    lock.release()


def test_programs_that_are_started_do_not_inherit_the_lock(folder):
    lock = JobLock.take(folder)
    opened = [each for each in Path("/proc/self/fd").iterdir() if _leads_to(each, folder.lock)]
    assert [os.get_inheritable(int(each.name)) for each in opened] == [False]
    lock.release()


def _leads_to(link: Path, path: Path) -> bool:
    try:
        return link.readlink() == path
    except OSError:
        return False


def test_a_second_taker_is_told_who_holds_the_lock_and_changes_nothing(folder):
    lock = JobLock.take(folder)
    before = folder.lock.read_bytes()
    with pytest.raises(JobHeld, match=f"held by process {os.getpid()} on .*, since 20.*cancel"):
        JobLock.take(folder)
    assert folder.lock.read_bytes() == before
    assert JobHeld.exit_code == ResultsError.exit_code == ExitCode.JOB_FAILED
    lock.release()
    JobLock.take(folder).release()


def test_a_lock_that_was_held_by_another_names_its_new_holder(folder):
    folder.lock.write_text(json.dumps({"pid": 1, "much": "more than is written now" * 30}))
    lock = JobLock.take(folder)
    assert json.loads(folder.lock.read_text())["pid"] == os.getpid()
    lock.release()


def test_looking_at_a_job_does_not_hinder_who_takes_it(folder):
    JobLock.take(folder).release()
    folder.lock.write_text(folder.lock.read_text().replace(str(os.getpid()), "999999999"))
    with folder.lock.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
            JobLock.take(folder).release()


def test_a_link_is_not_followed_to_what_would_be_written(folder, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder.lock.symlink_to(victim)
    with pytest.raises(ResultsError, match="lock the job's folder"):
        JobLock.take(folder)
    assert victim.read_text() == "precious"


def test_a_job_whose_lock_is_free_is_complete_only_with_its_end_and_its_results(folder):
    JobLock.take(folder).release()
    assert state_of(folder).state is JobState.INTERRUPTED
    close_journal(folder)
    assert state_of(folder).state is JobState.INTERRUPTED
    folder.report("results.json").write_text("{}")
    assert state_of(folder) == JobStatus(JobState.COMPLETE, state_of(folder).holder)
    folder.journal.write_bytes(b'{"type":"job"}\n')
    status = state_of(folder)
    assert status.state is JobState.INTERRUPTED
    assert status.hint == f"nrunner jobs resume {ID[:12]}"
    assert status.holder.pid == os.getpid()


def test_a_folder_without_a_lock_is_judged_by_what_is_in_it(folder):
    assert state_of(folder).state is JobState.INTERRUPTED
    close_journal(folder)
    folder.report("results.json").write_text("{}")
    assert state_of(folder).state is JobState.COMPLETE
    assert not folder.lock.exists()


def test_a_job_that_has_its_lock_runs_while_it_starts_and_ends(folder):
    lock = JobLock.take(folder)
    assert state_of(folder).state is JobState.RUNNING
    lock.tell(Stage.SERVING)
    status = state_of(folder)
    assert (status.state, status.hint) == (JobState.BORKED, f"kill -KILL {os.getpid()}")
    lock.tell(Stage.ENDING)
    assert state_of(folder).state is JobState.RUNNING
    lock.release()
    assert state_of(folder).state is JobState.INTERRUPTED


def test_a_controller_that_is_about_to_be_gone_is_not_borked(folder, monkeypatch):
    """A process that was killed gives up its sockets before its lock."""
    lock = JobLock.take(folder)
    lock.tell(Stage.SERVING)
    monkeypatch.setattr(time, "sleep", lambda _: lock.release())
    assert state_of(folder).state is JobState.INTERRUPTED


@pytest.mark.parametrize(
    ("changes", "process", "answers", "state", "hint"),
    [
        ({}, "S", True, JobState.RUNNING, ""),
        ({}, "D", False, JobState.BORKED, "kill -KILL 4711"),
        ({}, "T", True, JobState.BORKED, "kill -CONT 4711"),
        ({}, "", True, JobState.BORKED, "fuser -v"),
        ({}, "?", True, JobState.RUNNING, ""),
        ({"stage": Stage.STARTING}, "R", False, JobState.BORKED, "kill -KILL 4711"),
        ({"stage": Stage.STARTING, "since": NOW - 5}, "R", False, JobState.RUNNING, ""),
        ({"stage": Stage.STARTING, "since": NOW - 5}, "T", False, JobState.BORKED, "kill -CONT"),
        ({"stage": Stage.STARTING, "since": NOW + 5}, "R", False, JobState.RUNNING, ""),
        ({"stage": Stage.STARTING, "since": NOW + 500}, "R", False, JobState.BORKED, "kill"),
        ({"stage": Stage.ENDING}, "D", False, JobState.RUNNING, ""),
        ({"stage": Stage.ENDING}, "", False, JobState.BORKED, "fuser -v"),
    ],
)
def test_a_held_lock_means_running_only_if_its_holder_can_be_talked_to(
    folder, changes, process, answers, state, hint
):
    holder = replace(HOLDER, **changes)
    status = held_status(folder, holder, process, NOW, answers=answers)
    assert status.state is state
    assert status.hint.startswith(hint) if hint else status.hint == ""
    assert bool(status.reason) == (state is JobState.BORKED)


def test_a_disk_that_is_full_costs_no_more_than_what_the_lock_says(folder, monkeypatch):
    def full(fd, data, offset):
        raise OSError(errno.ENOSPC, "No space left on device")

    lock = JobLock.take(folder)
    monkeypatch.setattr(os, "pwrite", full)
    lock.tell(Stage.SERVING)
    lock.release()
    with pytest.raises(ResultsError, match=r"lock the job's folder by .*: No space left"):
        JobLock.take(folder)
    monkeypatch.undo()
    JobLock.take(folder).release()


def test_a_lock_of_a_nameless_holder_is_borked(folder, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    folder.lock.touch()
    with folder.lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        status = state_of(folder)
    assert (status.state, status.holder) == (JobState.BORKED, None)
    assert str(folder.lock) in status.hint


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "R"),
        ({"start": 1}, ""),
        ({"boot_id": "another"}, ""),
        ({"host": "elsewhere"}, "?"),
    ],
)
def test_a_holder_is_told_from_another_process_with_its_number(changes, expected):
    me = read_process(os.getpid())
    holder = Holder(me.pid, me.start, boot_id(), os.uname().nodename, NOW)
    assert replace(holder, **changes).state == expected
