"""A job put together for real, with what goes wrong around it."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from nrunner import journal as journal_module
from nrunner.errors import JournalError
from nrunner.job import run_job
from nrunner.journal import read_records
from nrunner.phase import Phase
from nrunner.plan import JobPlan, ReportTarget
from nrunner.result import Result
from nrunner.results.base import JobReport, TaskReport
from nrunner.runnable import Runnable
from nrunner.runners import killing, procfs
from nrunner.task import TaskLimits, make_tasks


class Ears:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.reports: list[TaskReport] = []
        self.closed: list[JobReport] = []

    def job_opened(self, job: JobReport) -> None: ...

    def task_started(self, task, time) -> None: ...

    def task_settled(self, report: TaskReport) -> None:
        self.reports.append(report)

    def notice(self, text: str) -> None: ...

    def flush(self) -> None: ...

    def job_closed(self, job: JobReport) -> None:
        self.closed.append(job)


def shell(script: str) -> Runnable:
    return Runnable("exec-test", "/bin/sh", ("-c", script))


@pytest.fixture
def plan(tmp_path, job_results):
    """Return a function that plans a job of shell scripts."""

    def plan(*scripts: str, **options) -> JobPlan:
        tasks = make_tasks([("x", shell(script), "") for script in scripts], TaskLimits(grace=0.5))
        return JobPlan(tuple(tasks), tmp_path, job_results, max_parallel=2, **options)

    return plan


def left_running(job_id: str) -> list[str]:
    return [
        procfs.command_of(pid)
        for pid in procfs.snapshot()
        if (procfs.mark_of(pid, killing.MARK) or "").startswith(f"{job_id}:")
    ]


def records(job_results: Path) -> list[dict]:
    (journal,) = job_results.glob("job-*/journal.jsonl")
    return list(read_records(journal))


def test_every_task_has_one_verdict_and_a_story_in_order(plan, job_results):
    ears = Ears()
    assert run_job(plan(*["true"] * 30, "exit 1"), (ears,)) == 1
    assert len(ears.reports) == 31
    assert [report.result for report in ears.reports].count(Result.FAIL) == 1
    written = records(job_results)
    assert [each["type"] for each in written[:1]] == ["job"]
    assert written[-1]["type"] == "closed"
    assert sorted(each["task"] for each in written if each["type"] == "settled") == list(
        range(1, 32)
    )
    for report in ears.reports:
        assert report.phases[-1][0] is Phase.FINISHED
        times = [time for _, time in report.phases]
        assert times == sorted(times), report.phases


def test_a_report_that_cannot_be_written_is_told_in_the_journal_and_changes_the_exit_code(
    plan, job_results, tmp_path
):
    reports = (ReportTarget("json", str(tmp_path / "no" / "such" / "folder")),)
    assert run_job(plan("exit 1", reports=reports), ()) == 3
    *_, closed, notice, last = records(job_results)
    assert (closed["type"], closed["exit_code"]) == ("closed", 1)
    assert (notice["type"], "no/such/folder" in notice["text"]) == ("notice", True)
    assert (last["type"], last["exit_code"]) == ("exit", 3)


class Blocker(Ears):
    """A listener that blocks the loop, as none may, at the verdict of the last task."""

    def task_settled(self, report: TaskReport) -> None:
        super().task_settled(report)
        if len(self.reports) == 3:
            time.sleep(0.3)


def test_how_late_the_loop_was_at_worst_is_told(plan, job_results):
    blocker = Blocker()
    run_job(plan("true", "true", "true"), (blocker,))
    (path,) = job_results.glob("job-*/results.json")
    results = json.loads(path.read_text())
    assert 0.3 <= results["loop_lag_max"] < results["time"]
    assert records(job_results)[-1]["loop_lag_max"] == results["loop_lag_max"]
    assert blocker.closed[0].loop_lag_max == results["loop_lag_max"]


def test_a_job_that_only_waits_is_not_late(plan, job_results):
    ears = Ears()
    run_job(plan("sleep 2"), (ears,))
    lag = ears.closed[0].loop_lag_max
    assert lag is not None
    assert 0 <= lag < 2


def test_a_journal_that_gets_full_ends_the_job_and_leaves_nothing_running(
    plan, job_results, monkeypatch
):
    write, budget = os.pwrite, [40_000]

    def until_full(fd: int, data: bytes, offset: int) -> int:
        if Path(f"/proc/self/fd/{fd}").readlink().name != "journal.jsonl":
            return write(fd, data, offset)
        if budget[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(fd, data[: budget[0]], offset)
        budget[0] -= written
        return written

    monkeypatch.setattr(journal_module.os, "pwrite", until_full)
    ears = Ears()
    with pytest.raises(JournalError, match="No space left on device"):
        run_job(plan("exec sleep 1000", *["true"] * 60), (ears,))
    monkeypatch.undo()
    written = records(job_results)
    settled = {each["task"] for each in written if each["type"] == "settled"}
    assert {report.number for report in ears.reports} == settled
    assert left_running(written[0]["id"]) == []
    assert ears.closed[0].exit_code & 2


def test_a_job_past_its_limit_ends_what_runs_and_cancels_what_waits(plan, job_results):
    ears = Ears()
    code = run_job(plan(*["exec sleep 1000"] * 2, "true", job_timeout=2.5, fail_fast=True), (ears,))
    assert code == 8
    results = {report.number: report.result for report in ears.reports}
    assert results == {1: Result.INTERRUPT, 2: Result.INTERRUPT, 3: Result.CANCEL}
    assert ears.closed[0].interrupted == "past the job's 2.5 s limit"
    assert left_running(records(job_results)[0]["id"]) == []


def test_nothing_is_left_of_a_job_but_its_folder(plan, job_results):
    run_job(plan("echo out", "true"), ())
    (folder,) = job_results.glob("job-*")
    kept = sorted(path.name for path in (folder / "test-results").iterdir())
    assert len(kept) == 2
    assert (kept[0][:2], kept[1]) == ("1-", "by-status")
    assert not (folder / "test-results" / ".slots").exists()
