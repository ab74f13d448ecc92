"""Jobs that run on their own, and what can be done with them from anywhere: `nrunner jobs`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrunner.control import listen
from nrunner.layout import JobFolder
from nrunner.lock import JobLock, JobState, state_of
from tests.functional.sandbox import End, Run, Sandbox, wait_until

# Each waits until it is let go; the second fails then.
WAITER = "#!/bin/sh\nwhile [ ! -e go-{} ]; do sleep 0.02; done\nexit {}\n"
SECONDS = re.compile(r"\d+\.\d\d s")


class Job:
    """A detached job of some tests that wait, one at a time."""

    def __init__(self, sandbox: Sandbox, *codes: int) -> None:
        self.sandbox = sandbox
        names = [f"./wait-{number}" for number in range(1, len(codes) + 1)]
        for number, code in enumerate(codes, 1):
            sandbox.write(f"wait-{number}", WAITER.format(number, code))
        end = sandbox.run("run", "--detach", "--max-parallel-tasks", "1", *names)
        assert end.code == 0, end
        self.id = end.out.strip()
        self.short = self.id[:12]
        self.folder = JobFolder(sandbox.job)

    @property
    def pid(self) -> int:
        return int(json.loads(self.folder.lock.read_text())["pid"])

    @property
    def state(self) -> JobState:
        return state_of(self.folder).state

    def let_go(self, *numbers: int) -> None:
        """Have tests end, and wait until they have their verdicts."""
        for number in numbers:
            (self.sandbox.here / f"go-{number}").touch()
            marks = b'"type":"settled","task":%d,' % number
            wait_until(lambda: marks in self.folder.journal.read_bytes(), f"{number} is settled")  # noqa: B023

    def wait_running(self) -> None:
        wait_until(self.sandbox.payloads, "a test runs")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: self.state is JobState.INTERRUPTED, "it is interrupted")

    def do(self, *argv: str) -> End:
        return self.sandbox.run("jobs", *argv)


@pytest.fixture
def job(sandbox: Sandbox) -> Iterator[Job]:
    """Return a job of three tests, the second of which fails."""
    yield Job(sandbox, 0, 1, 0)
    for pid in sandbox.running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def told(text: str) -> list[str]:
    """Return what a console told, without its times."""
    return SECONDS.sub("_ s", text).splitlines()


def lines_of(job: Job) -> list[str]:
    return [
        f"JOB ID     : {job.id}",
        f"JOB LOG    : {job.folder.log}",
        " (1/3) ./wait-1: PASS (_ s)",
        " (2/3) ./wait-2: FAIL: exited with status 1 (_ s)",
        " (3/3) ./wait-3: PASS (_ s)",
        "RESULTS    : PASS 2 | ERROR 0 | FAIL 1 | SKIP 0 | WARN 0 | INTERRUPT 0 | CANCEL 0",
        "JOB TIME   : _ s",
    ]


# Listing and showing.


def test_a_job_that_runs_is_listed_with_how_far_it_is(job: Job) -> None:
    job.let_go(1, 2)
    end = job.do("list")
    assert (end.code, end.err) == (0, "")
    (row,) = end.lines
    assert re.fullmatch(
        rf"{job.id[:7]}  [\d-]+ [\d:]+  {job.folder.root.name}  running  2 of 3: pass 1 failures 1",
        row,
    )
    shown = job.do("show")
    assert shown.code == 0
    assert "JOB STATE  : running" in shown.lines
    assert "  FAIL  2-./wait-2: exited with status 1" in shown.lines
    assert "SETTLED    : 2 of 3" in shown.lines


def test_a_killed_job_is_listed_as_interrupted_with_how_to_go_on(job: Job) -> None:
    job.let_go(1)
    job.kill()
    (row,) = job.do("list").lines
    assert row.endswith(f"  interrupted  1 of 3: pass 1; nrunner jobs resume {job.short}")
    shown = job.do("show", job.short, "--json")
    assert shown.code == 2
    data = json.loads(shown.out)
    assert (data["state"], data["settled"], data["total"]) == ("interrupted", 1, 3)
    assert [each["id"] for each in data["tests"]] == ["1-./wait-1"]


def test_a_job_whose_socket_is_gone_is_borked_until_it_is_killed(job: Job) -> None:
    assert job.folder.control_socket is not None
    job.folder.control_socket.unlink()
    (row,) = job.do("list").lines
    assert "  borked  0 of 3; its control socket is dead, but its lock is held by process " in row
    assert row.endswith(f"; kill -KILL {job.pid}")
    for command in (("attach",), ("wait",), ("cancel", "latest")):
        end = job.do(*command)
        assert end.code == 2
        assert f"kill -KILL {job.pid}" in end.err
    job.kill()


def test_a_job_is_found_by_its_id_from_any_other_configuration(job: Job) -> None:
    job.sandbox.env["NRUNNER_RUN_RESULTS_DIR"] = str(job.sandbox.here / "elsewhere")
    (row,) = job.do("list").lines
    assert str(job.folder.root) in row
    assert f"JOB ID     : {job.id}" in job.do("show", job.id[:7]).out
    run = job.sandbox.start("jobs", "wait", job.short)
    wait_until(lambda: _waits_for_lock(run), "it waits")
    assert job.do("cancel", job.short, "--kill").code == 0
    assert run.wait().code == 8
    # Over, it is where its results are.
    assert job.do("list").out == ""
    assert job.do("show", str(job.folder.root)).code == 0


@pytest.mark.parametrize("written", ["../results", "link"])
def test_a_job_is_one_job_however_the_results_folder_is_written(job: Job, written: str) -> None:
    (job.sandbox.here / "link").symlink_to(job.sandbox.base)
    job.sandbox.env["NRUNNER_RUN_RESULTS_DIR"] = written
    (row,) = job.do("list").lines
    assert f"  {job.folder.root.name}  running" in row
    assert job.do("show", job.short).code == 0
    assert job.do("cancel", job.short, "--kill").code == 0
    assert job.do("attach", job.short).code == 8


# Attaching.


def test_an_attached_console_shows_what_the_jobs_own_would_have(job: Job) -> None:
    job.let_go(1)
    run = job.sandbox.start("jobs", "attach")
    run.wait_said(r" \(1/3\) ./wait-1: PASS")
    job.let_go(2)
    run.wait_said(r" \(2/3\) ./wait-2: FAIL")
    job.let_go(3)
    end = run.wait()
    assert (end.code, end.err) == (1, "")
    assert told(end.out) == lines_of(job) == told((job.folder.console_log).read_text())
    # And once more, now that it is over.
    again = job.do("attach", job.short)
    assert (again.code, again.out) == (1, end.out)


def test_a_console_that_is_attached_from_now_leaves_out_the_past(job: Job) -> None:
    job.let_go(1)
    run = job.sandbox.start("jobs", "attach", "--from-now")
    run.wait_said("JOB LOG")
    job.let_go(2, 3)
    end = run.wait()
    lines = lines_of(job)
    assert (end.code, told(end.out)) == (1, lines[:2] + lines[3:])


def test_two_consoles_and_a_waiter_all_see_the_end(job: Job) -> None:
    runs = [job.sandbox.start("jobs", *words) for words in (["attach"], ["attach"], ["wait"])]
    job.let_go(1, 2, 3)
    ends = [run.wait() for run in runs]
    assert [end.code for end in ends] == [1, 1, 1]
    assert told(ends[0].out) == told(ends[1].out) == lines_of(job)
    assert ends[2].out == ""


def test_who_listens_to_a_job_hears_its_end(job: Job) -> None:
    async def kinds() -> list[str]:
        assert job.folder.control_socket is not None
        heard: list[str] = []
        async for events in listen(job.folder.control_socket, 0):
            heard += [event.kind for event in events]
            for number in (1, 2, 3):
                (job.sandbox.here / f"go-{number}").touch()
        return heard

    heard = asyncio.run(kinds())
    assert heard.count("task_settled") == 3
    assert heard[-1] == "job_closed"


def test_ctrl_c_ends_the_showing_and_not_the_job(job: Job) -> None:
    run = job.sandbox.start("jobs", "attach")
    run.wait_said("JOB LOG")
    job.let_go(1)
    run.wait_said(r" \(1/3\)")
    job.let_go(2)
    run.wait_said(r" \(2/3\)")
    run.signal(signal.SIGINT)
    end = run.wait()
    assert end.code == 8
    back = f"nrunner jobs attach {job.short} comes back to it"
    assert end.err == f"nrunner: detached; job {job.short} goes on: {back}\n"
    job.let_go(3)
    assert job.do("wait").code == 1


def test_a_console_says_so_when_the_controller_dies_and_how_to_go_on(job: Job) -> None:
    job.let_go(1)
    run = job.sandbox.start("jobs", "attach")
    run.wait_said(r" \(1/3\)")
    job.kill()
    end = run.wait()
    assert end.code == 2
    assert f"job {job.short} is interrupted: its controller is gone" in end.err
    assert f"nrunner jobs resume {job.short}" in end.err
    assert told(end.out) == lines_of(job)[:3]
    again = job.do("attach")
    assert (again.code, again.out, again.err) == (2, end.out, end.err)


def test_a_job_that_was_gone_on_with_is_shown_as_one(job: Job) -> None:
    job.let_go(1)
    job.kill()
    for number in (2, 3):
        (job.sandbox.here / f"go-{number}").touch()
    assert job.do("resume").code == 1
    end = job.do("attach")
    assert end.code == 1
    notice = "NOTICE     : resumed: 1 of 3 tasks have their verdict"
    lines = [line for line in told(end.out) if not line.startswith(notice)]
    assert len(lines) == len(end.lines) - 1
    assert lines == lines_of(job)


def test_a_stopped_controller_is_told_with_what_makes_it_go_on(job: Job) -> None:
    job.wait_running()
    os.kill(job.pid, signal.SIGSTOP)
    wait_until(lambda: job.state is JobState.BORKED, "it is borked")
    for command in ("attach", "wait", "show"):
        end = job.do(command)
        assert end.code == 2
        assert f"is borked: its controller is stopped: process {job.pid} on " in end.err
        assert f"(what helps: kill -CONT {job.pid})" in end.err
    os.kill(job.pid, signal.SIGCONT)
    wait_until(lambda: job.state is JobState.RUNNING, "it runs again")
    job.let_go(1, 2, 3)
    assert job.do("wait").code == 1


def test_showing_ends_when_nobody_reads_on(job: Job) -> None:
    words = f"{sys.executable} -m nrunner jobs attach | head -1"
    shell = ["/bin/sh", "-c", words]
    sandbox = job.sandbox
    end = subprocess.run(
        shell, cwd=sandbox.here, env=sandbox.env, capture_output=True, timeout=30, check=False
    )
    assert (end.stdout.decode(), end.stderr) == (f"JOB ID     : {job.id}\n", b"")
    assert job.state is JobState.RUNNING


def test_on_a_terminal_the_footer_begins_with_what_was_settled_before(job: Job) -> None:
    job.let_go(1, 2)
    ours, theirs = pty.openpty()
    run = job.sandbox.start(
        "jobs", "attach", "--from-now", stdout=theirs, env={"TERM": "xterm", "COLUMNS": "100"}
    )
    os.close(theirs)
    seen = b""
    while b"2/3" not in seen or b"FAIL 1" not in seen or b"3-./wait-3" not in seen:
        assert select.select([ours], [], [], 20)[0], seen
        seen += os.read(ours, 65536)
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    os.close(ours)


# Waiting.


def test_waiting_ends_with_the_jobs_exit_code_or_when_it_takes_too_long(job: Job) -> None:
    end = job.do("wait", "--timeout", "0.1s")
    assert end.code == 8
    assert f"it still runs after 0.1s; job {job.short} goes on" in end.err
    run = job.sandbox.start("jobs", "wait", job.short, "--timeout", "1h")
    job.let_go(1, 2, 3)
    assert run.wait() == End(1, "", "")
    assert job.do("wait", "latest", "--timeout", "0") == End(1, "", "")


def test_waiting_for_a_job_that_is_killed_is_told(job: Job) -> None:
    run = job.sandbox.start("jobs", "wait")
    wait_until(lambda: _waits_for_lock(run), "it waits")
    job.kill()
    end = run.wait()
    assert end.code == 2
    assert f"nrunner jobs resume {job.short}" in end.err


def _waits_for_lock(run: Run) -> bool:
    return re.search(rf"-> FLOCK .* {run.pid} ", Path("/proc/locks").read_text()) is not None


def test_a_time_that_is_none_is_refused(sandbox: Sandbox) -> None:
    end = sandbox.run("jobs", "wait", "--timeout", "soon")
    assert (end.code, "could not use --timeout" in end.err) == (4, True)


# Cancelling.


def test_a_job_is_cancelled_as_by_ctrl_c(job: Job) -> None:
    job.wait_running()
    run = job.sandbox.start("jobs", "attach")
    run.wait_said("JOB LOG")
    end = job.do("cancel", "latest")
    assert (end.code, end.out) == (0, f"job {job.short} is told to end\n")
    end = run.wait()
    assert end.code == 8
    assert "NOTICE     : cancelled by the control API: no more tests are started" in end.out
    assert "CUT SHORT  : interrupted by the user" in end.lines
    statuses = [each["status"] for each in job.sandbox.results()["tests"]]
    assert statuses == ["INTERRUPT", "CANCEL", "CANCEL"]
    job.sandbox.wait_nothing_runs()
    late = job.do("cancel", "latest")
    assert late == End(2, "", f"nrunner: could not cancel job {job.short}: it is complete\n")


def test_one_task_is_cancelled_and_the_others_run(job: Job) -> None:
    job.wait_running()
    assert job.do("cancel", job.short, "--task", "2").code == 0
    job.let_go(1, 3)
    job.do("wait")
    assert [each["status"] for each in job.sandbox.results()["tests"]] == ["PASS", "CANCEL", "PASS"]


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--task", "1"], 2, "could not cancel task 1 of job .*: task 1 has its verdict already"),
        (["--task", "9"], 2, "could not cancel task 9 of job .*: no task '9' in this job"),
        (["--task", "0"], 4, "'--task'"),
        (["--task", "2", "--kill"], 4, "use --kill with --task"),
    ],
)
def test_what_cannot_be_cancelled_is_told(job: Job, argv: list[str], code: int, said: str) -> None:
    job.let_go(1)
    end = job.do("cancel", "latest", *argv)
    assert (end.code, end.out) == (code, "")
    assert re.search(said, end.err)


def test_a_deaf_test_is_killed_at_once_if_that_is_asked_for(sandbox: Sandbox) -> None:
    sandbox.env["NRUNNER_RUN_GRACE"] = "50"
    sandbox.write("deaf", "#!/bin/sh\ntrap '' TERM\ntouch here\nwhile :; do sleep 0.05; done\n")
    sandbox.run("run", "--detach", "./deaf")
    wait_until((sandbox.here / "here").exists, "the test runs")
    assert sandbox.run("jobs", "cancel", "latest", "--kill").code == 0
    assert sandbox.run("jobs", "wait", "--timeout", "20").code == 8
    assert sandbox.results()["tests"][0]["returncode"] == -9


def test_a_cancel_without_a_job_is_refused(sandbox: Sandbox) -> None:
    end = sandbox.run("jobs", "cancel")
    assert (end.code, "missing argument 'JOB'" in end.err) == (4, True)


def test_nobody_takes_a_job_while_others_look_at_it(job: Job) -> None:
    """Looking takes the lock for a moment, which no other taker may mistake for a controller."""
    job.let_go(1, 2, 3)
    assert job.do("wait").code == 1
    looking = [job.sandbox.start("jobs", "list") for _ in range(3)]
    for _ in range(300):
        JobLock.take(job.folder).release()
        state_of(job.folder)
    assert [run.wait().code for run in looking] == [0, 0, 0]
