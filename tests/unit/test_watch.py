"""A running job as the control API sees it, with a scheduler that only writes down orders."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from nrunner.ending import Ending
from nrunner.errors import JournalError
from nrunner.event import Begin, Cancelled, Ended, Started, StopAll, Triaged
from nrunner.journal import Journal
from nrunner.layout import JobFolder
from nrunner.limits import Limits
from nrunner.machine import Machine
from nrunner.messages import parse
from nrunner.phase import Phase
from nrunner.reporter import JobClock, Reporter
from nrunner.result import Result
from nrunner.results.base import JobReport
from nrunner.runnable import Runnable
from nrunner.status.intake import Accepted
from nrunner.task import Task
from nrunner.testing.sample import sample_report
from nrunner.watch import Watch


class Scheduler:
    """Takes orders."""

    def __init__(self) -> None:
        self.fed: list[object] = []
        self.stops: list[StopAll] = []
        self.failures: list[Exception] = []

    def fail(self, error: Exception) -> None:
        self.failures.append(error)

    def feed(self, *events: object) -> None:
        self.fed.extend(events)

    def stop(self, event: StopAll) -> None:
        self.stops.append(event)

    def live_output(self, number: int, stream: str) -> Path:
        return Path(f"/slots/{number}/{stream}")


class Job:
    """Three tasks, of which the first is begun by tests."""

    def __init__(self, folder: Path, retries: int = 0) -> None:
        tasks = [
            Task(n, f"{n}-x", Runnable("noop", "x"), "ref", retries=retries) for n in (1, 2, 3)
        ]
        self.machine = Machine(tasks, Limits(1))
        self.scheduler = Scheduler()
        self.journal = Journal(folder / "journal.jsonl")
        report = JobReport("id", folder, (), 3, 0.0)
        reporter = Reporter(report, JobClock(0.0, 0.0), ())
        (folder / "test-results").mkdir()
        self.folder = JobFolder(folder)
        self.watch = Watch(tasks, self.machine, self.scheduler, self.journal, reporter, self.folder)


@pytest.fixture
def job(tmp_path):
    job = Job(tmp_path)
    yield job
    job.journal.close()


def start(job: Job) -> None:
    job.machine.handle(Begin(0.0))
    job.machine.handle(Triaged(1.0, 1, "here"))
    job.machine.handle(Started(2.0, 1, 1))


def settle(job: Job, number: int, **fields) -> None:
    report = replace(sample_report(number), **fields)
    job.journal.append([{"type": "settled", "task": number, "report": report}])


def message(number: int, **fields) -> Accepted:
    raw = {"id": f"{number}-x", "time": 1.0, "status": "running", **fields}
    return Accepted(number, parse(json.dumps(raw).encode()))


def data(text: bytes) -> dict[str, str]:
    return {"__base64_encoded__": base64.b64encode(text).decode()}


def test_a_task_is_shown_where_it_is(job):
    assert job.watch.task(1).phase is Phase.REQUESTED
    start(job)
    view = job.watch.task(1)
    assert (view.phase, view.attempt, view.environment) == (Phase.STARTED, 1, "here")
    assert view.running > 0
    assert (view.id, view.kind, view.uri, view.reference) == ("1-x", "noop", "x", "ref")
    assert job.watch.task(2).running is None


def test_a_settled_task_is_shown_with_its_report(job):
    start(job)
    job.machine.handle(Ended(3.0, 1, 1, Ending(Result.PASS)))
    settle(job, 1)
    view = job.watch.task(1)
    assert view.report == sample_report(1)
    assert view.phase is sample_report(1).phases[-1][0]
    assert view.running is None


@pytest.mark.parametrize("number", [-1, 0, 4])
def test_there_are_no_other_tasks(job, number):
    assert job.watch.task(number) is None


def test_tasks_come_in_pages(job):
    def numbers(start: int, limit: int) -> list[int]:
        return [view.number for view in job.watch.tasks(start, limit)]

    assert numbers(1, 2) == [1, 2]
    assert numbers(2, 9) == [2, 3]
    assert numbers(-5, 1) == [1]
    assert numbers(4, 9) == []


def test_output_is_where_it_is_written_and_then_where_it_is_kept(job):
    assert job.watch.log_path(1, "stdout") == Path("/slots/1/stdout")
    settle(job, 1, outputs={"stdout": "test-results/1-x/stdout"})
    assert job.watch.log_path(1, "stdout") == job.folder.root / "test-results/1-x/stdout"
    assert job.watch.log_path(1, "stderr") is None


def test_a_task_that_runs_is_interrupted_and_one_that_waits_is_cancelled(job):
    start(job)
    assert job.watch.cancel_task(1)
    assert job.watch.cancel_task(2)
    running, waiting = job.scheduler.fed
    assert isinstance(running, Cancelled)
    assert isinstance(waiting, Cancelled)
    assert (running.number, running.verdict.result) == (1, Result.INTERRUPT)
    assert (waiting.number, waiting.verdict.result) == (2, Result.CANCEL)


def test_a_task_with_a_verdict_cannot_be_cancelled(job):
    start(job)
    for event in (job.watch.cancel_task(2), *job.scheduler.fed):
        if isinstance(event, Cancelled):
            job.machine.handle(event)
    assert job.machine.verdict(2) is not None
    assert not job.watch.cancel_task(2)


def test_the_job_is_cancelled_as_by_ctrl_c(job):
    job.watch.cancel_job()
    job.watch.cancel_job(kill=True)
    assert [stop.kill for stop in job.scheduler.stops] == [False, True]
    notices = [event.data["text"] for event in job.watch.events_after(0, 9)]
    assert notices == [
        "cancelled by the control API: no more tests are started, those that run are told to end",
        "cancelled by the control API: tests that run are killed",
    ]


def test_events_are_the_journals_records(job):
    job.journal.append(
        [
            {"type": "job", "format": 1},
            {"type": "move", "task": 1, "phase": Phase.READY},
            {"type": "move", "task": 1, "phase": Phase.STARTED},
            {"type": "notice", "text": "slow"},
        ]
    )
    settle(job, 1)
    job.journal.append([{"type": "closed", "exit_code": 0}])
    events = job.watch.events_after(0, 100)
    assert [(event.id, event.kind, event.terminal) for event in events] == [
        (1, "job", False),
        (2, "task_moved", False),
        (3, "task_started", False),
        (4, "notice", False),
        (5, "task_settled", True),
        (6, "job_closed", True),
    ]
    assert events[3].data == {"text": "slow"}
    assert [event.id for event in job.watch.events_after(2, 2)] == [3, 4]
    assert job.watch.events_after(6, 5) == []


def test_a_name_that_is_no_valid_text_is_an_event_like_any_other(job):
    job.journal.append([{"type": "planned", "task": 1, "id": "1-\udcff"}])
    (event,) = job.watch.events_after(0, 9)
    assert event.data["id"] == "1-\udcff"


@pytest.mark.parametrize("event_id", [-1, 7])
def test_an_event_that_never_was_is_nobodys_place_to_go_on(job, event_id):
    assert job.watch.events_after(event_id, 5) is None


def test_ids_lead_to_the_tasks_that_run(job):
    assert job.watch.known("1-x") is None
    start(job)
    assert job.watch.known("1-x") == 1
    assert job.watch.known("2-x") is None
    assert job.watch.known("4-x") is None
    job.machine.handle(Ended(3.0, 1, 1, Ending(Result.PASS)))
    assert job.watch.known("1-x") is None


def test_another_attempt_of_a_task_may_speak_anew(tmp_path):
    job = Job(tmp_path, retries=1)
    reopened: list[int] = []
    job.watch.reopen = reopened.append
    start(job)
    assert [job.watch.known("1-x") for _ in range(3)] == [1, 1, 1]
    assert reopened == [1]
    job.machine.handle(Ended(3.0, 1, 1, Ending(Result.FAIL)))
    job.machine.handle(Started(4.0, 1, 2))
    assert job.watch.known("1-x") == 1
    assert reopened == [1, 1]
    job.journal.close()


def test_what_runners_say_is_kept_in_the_tasks_folder_and_in_the_journal(job):
    said = [
        message(1, type="log", log=data(b"a line")),
        message(1, type="stdout", log=data(b"out")),
        message(1, type="stderr", log=data(b"err"), log_only=True),
        message(1, type="whiteboard", log=data(b"board")),
        message(1),
    ]
    job.watch.take_messages(said)
    folder = job.folder.test_results / "1-x"
    assert (folder / "debug.log").read_bytes() == b"a line\n"
    assert (folder / "stdout").read_bytes() == b"out"
    assert (folder / "whiteboard").read_bytes() == b"board"
    assert not (folder / "stderr").exists()
    assert job.journal.records == len(said)


def test_a_link_or_pipe_that_a_test_put_there_is_neither_followed_nor_waited_for(job, tmp_path):
    folder = job.folder.test_results / "1-x"
    folder.mkdir()
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    (folder / "debug.log").symlink_to(precious)
    os.mkfifo(folder / "stdout")
    job.watch.take_messages(
        [
            message(1, type="log", log=data(b"a line")),
            message(1, type="stdout", log=data(b"out")),
            message(1, type="whiteboard", log=data(b"board")),
        ]
    )
    assert precious.read_bytes() == b"mine"
    assert job.watch.unkept == 2
    assert (folder / "whiteboard").read_bytes() == b"board"


def test_a_link_in_place_of_the_tasks_folder_is_not_followed(job, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (job.folder.test_results / "1-x").symlink_to(elsewhere)
    job.watch.take_messages([message(1, type="log", log=data(b"a line"))])
    assert list(elsewhere.iterdir()) == []
    assert (job.folder.test_results / "1-x" / "debug.log").read_bytes() == b"a line\n"


def test_what_is_said_at_once_is_kept_in_its_order_and_counted_where_it_cannot_be(job):
    for name in ("stdout", "stderr"):
        (job.folder.test_results / "2-x" / name).mkdir(parents=True)
    said = [
        message(number, type=kind, log=data(f"{kind} {index}\n".encode()))
        for index in range(3)
        for number in (1, 2, 3)
        for kind in ("stdout", "stderr")
    ]
    job.watch.take_messages(said)
    for name in ("1-x", "3-x"):
        for kind in ("stdout", "stderr"):
            kept = (job.folder.test_results / name / kind).read_text()
            assert kept == f"{kind} 0\n{kind} 1\n{kind} 2\n"
    assert job.watch.unkept == 6
    assert job.journal.records == len(said)


def test_a_journal_that_cannot_be_written_ends_the_job(job):
    job.journal.close()
    job.watch.take_messages([message(1)])
    assert [type(error) for error in job.scheduler.failures] == [JournalError]


def test_what_somebody_else_wrote_into_the_journal_is_an_error_that_says_so(job):
    job.journal.append([{"type": "notice", "text": "slow"}])
    for data in (b"garbage" * 20, b"[1, 2]" + b" " * 100):
        job.journal.path.write_bytes(data)
        with pytest.raises(JournalError, match="somebody else has written to it"):
            job.watch.events_after(0, 100)
