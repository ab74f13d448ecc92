"""From a settled task to its report, and to whoever listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.action import Settle
from nrunner.ending import Ending
from nrunner.phase import Phase
from nrunner.reporter import JobClock, Reporter
from nrunner.result import Cause, Result, Verdict
from nrunner.results.base import JobReport
from nrunner.runnable import Runnable
from nrunner.task import Attempt, Task

CLOCK = JobClock(wall=1_000_000.0, monotonic=50.0)
PASS = Verdict(Result.PASS, Cause.TEST)
FAIL = Verdict(Result.FAIL, Cause.TEST, "exited with status 1")
TASK = Task(7, "7-/bin/x", Runnable("exec-test", "/bin/x"), "x", "suite")
PHASES = ((Phase.REQUESTED, 50.5), (Phase.STARTED, 51.0), (Phase.FINISHED, 53.0))


class Listener:
    """Writes down which method was called, and with what."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[object, ...]]] = []

    def __getattr__(self, name: str):
        return lambda *args: self.calls.append((name, args))


@pytest.fixture
def listeners():
    return [Listener(), Listener()]


@pytest.fixture
def reporter(listeners):
    return Reporter(JobReport("id", Path("/job"), ("nrunner",), 3, CLOCK.wall), CLOCK, listeners)


def settle(verdict=PASS, attempts=(), phases=PHASES, task=TASK) -> Settle:
    return Settle(task, verdict, tuple(attempts), phases, "process")


def attempt(number=1, verdict=PASS, ending=None, started: float | None = 51.0) -> Attempt:
    return Attempt(number, "process", verdict, started, 53.0, ending)


def test_times_are_those_of_the_wall_and_of_the_job(reporter):
    report = reporter.report(settle(attempts=[attempt(ending=Ending(Result.PASS, elapsed=1.9))]))
    assert (report.time_start, report.time_end) == (1_000_001.0, 1_000_003.0)
    assert report.elapsed == 1.9
    assert report.phases == (
        (Phase.REQUESTED, 0.5),
        (Phase.STARTED, 1.0),
        (Phase.FINISHED, 3.0),
    )


def test_a_task_says_what_it_is_and_what_became_of_it(reporter):
    ending = Ending(
        Result.FAIL,
        "exited with status 1",
        1,
        class_name="T",
        fail_class="E",
        traceback="tb",
        whiteboard="w",
        outputs=("stdout", "output"),
        leaks=({"pid": 3},),
        layer="subreaper",
    )
    report = reporter.report(settle(FAIL, [attempt(1, FAIL, ending)]))
    assert (report.number, report.id, report.reference, report.suite) == (7, TASK.id, "x", "suite")
    assert (report.kind, report.uri, report.environment) == ("exec-test", "/bin/x", "process")
    assert (report.result, report.cause, report.detail) == (FAIL.result, FAIL.cause, FAIL.detail)
    assert (report.returncode, report.class_name, report.fail_class) == (1, "T", "E")
    assert (report.traceback, report.whiteboard) == ("tb", "w")
    assert report.log_dir is not None
    assert report.outputs == {
        "stdout": f"{report.log_dir}/stdout",
        "output": f"{report.log_dir}/output",
    }
    (first,) = report.attempts
    assert (first.leaks, first.layer, first.returncode) == (({"pid": 3},), "subreaper", 1)


def test_a_task_that_wrote_nothing_has_no_folder(reporter):
    report = reporter.report(settle(attempts=[attempt(ending=Ending(Result.PASS))]))
    assert (report.log_dir, report.outputs) == (None, {})


def test_a_task_that_never_ran_ends_when_it_was_settled(reporter):
    phases = ((Phase.REQUESTED, 50.0), (Phase.DISCARDED, 52.0))
    report = reporter.report(settle(Verdict(Result.CANCEL, Cause.CANCELLED), phases=phases))
    assert (report.time_start, report.time_end, report.elapsed) == (1_000_002.0, 1_000_002.0, 0.0)
    assert report.attempts == ()


def test_an_attempt_of_which_nobody_told_the_end_lasted_until_it_was_noticed(reporter):
    report = reporter.report(settle(attempts=[attempt(ending=None)]))
    assert report.elapsed == 2.0
    report = reporter.report(settle(attempts=[attempt(ending=None, started=None)]))
    assert report.elapsed == 0.0
    assert report.attempts[0].time_start is None


def test_verdicts_are_counted_once_each_when_they_are_told(reporter):
    reporter.settled(reporter.report(settle(PASS)))
    reporter.settled(reporter.report(settle(FAIL)))
    reporter.settled(reporter.report(settle(FAIL)))
    job = reporter.now(60.0, exit_code=1, interrupted="why")
    assert (job.tally[Result.PASS], job.tally[Result.FAIL]) == (1, 2)
    assert job.causes[Cause.TEST] == 3
    assert (job.elapsed, job.exit_code, job.interrupted) == (10.0, 1, "why")


def test_everybody_hears_everything_in_order(reporter, listeners):
    report = reporter.report(settle())
    reporter.open()
    reporter.started(TASK, 51.0)
    reporter.settled(report)
    reporter.notice("slow")
    reporter.flush()
    reporter.close(reporter.now(60.0))
    for listener in listeners:
        assert [name for name, _ in listener.calls] == [
            "job_opened",
            "task_started",
            "task_settled",
            "notice",
            "flush",
            "job_closed",
            "flush",
        ]
        assert listener.calls[2][1] == (report,)
    assert reporter.job.elapsed == 10.0


def test_what_is_written_into_the_jobs_folder_is_whole_before_others_hear_of_the_end(reporter):
    other, keeper = Listener(), Listener()
    reporter = Reporter(reporter.job, CLOCK, [other], [keeper])
    reporter.close_folder(reporter.now(60.0))
    assert ([name for name, _ in keeper.calls], other.calls) == (["job_closed", "flush"], [])
    reporter.notice("packed")
    reporter.close(reporter.now(61.0))
    assert [name for name, _ in other.calls] == ["notice", "job_closed", "flush"]
    assert len(keeper.calls) == 2
