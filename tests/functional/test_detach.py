"""Jobs that are processes of their own: `nrunner run --detach`, and what its caller is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nrunner.layout import JobFolder
from nrunner.lock import JobState, state_of
from tests.functional.sandbox import Sandbox, wait_until

# Waits until it is let go, and tells which signals it ignores.
WAITER = """#!/bin/sh
grep SigIgn /proc/$$/status
while [ ! -e go ]; do sleep 0.02; done
"""


@pytest.fixture(autouse=True)
def waiter(sandbox: Sandbox) -> None:
    sandbox.write("waiter", WAITER)


def let_go(sandbox: Sandbox) -> None:
    (sandbox.here / "go").touch()
    sandbox.wait_nothing_runs()


def controller(sandbox: Sandbox) -> int:
    return int(json.loads((sandbox.job / "lock").read_text())["pid"])


def patched(sandbox: Sandbox, instead_of_setsid: str) -> dict[str, str]:
    """Return an environment in which the job's process does something at its very beginning."""
    text = f"import os, signal, time\nreal = os.setsid\ndef setsid():\n    {instead_of_setsid}\n"
    sandbox.write("patch/sitecustomize.py", text + "os.setsid = setsid\n", executable=False)
    return {"PYTHONPATH": str(sandbox.here / "patch")}


def test_the_command_returns_while_the_tests_of_its_job_still_run(sandbox: Sandbox) -> None:
    # Its pipes are read to their end, which comes only when nobody has them open any more.
    end = sandbox.run("run", "--detach", "./waiter")
    assert end.code == 0
    job_id = (sandbox.job / "id").read_text().strip()
    assert end.out == job_id + "\n"
    assert f"nrunner jobs attach {job_id[:12]}" in end.err
    assert state_of(JobFolder(sandbox.job)).state is JobState.RUNNING
    assert not (sandbox.job / "results.json").exists()
    let_go(sandbox)
    assert state_of(JobFolder(sandbox.job)).state is JobState.COMPLETE
    assert sandbox.results()["pass"] == 1
    told = (sandbox.job / "console.log").read_text()
    assert re.search(r"\A(?s:JOB ID     : .* \(1/1\) ./waiter: PASS .*JOB TIME)", told)


def test_the_job_keeps_nothing_of_its_caller(sandbox: Sandbox) -> None:
    reading, writing = os.pipe()
    assert sandbox.run("run", "--detach", "./waiter", pass_fds=(writing,)).code == 0
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b""
    pid = controller(sandbox)
    assert os.getsid(pid) == os.getpgid(pid) == pid != os.getsid(0)
    links = {each.name: str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
    console = str(sandbox.job / "console.log")
    assert (links["0"], links["1"], links["2"]) == ("/dev/null", console, console)
    let_go(sandbox)


def test_a_hangup_ends_neither_the_job_nor_reaches_its_tests(sandbox: Sandbox) -> None:
    sandbox.run("run", "--detach", "./waiter")
    wait_until(sandbox.payloads, "the test runs")
    os.kill(controller(sandbox), signal.SIGHUP)
    let_go(sandbox)
    assert sandbox.results()["pass"] == 1
    ignored = (sandbox.job / "test-results/1-._waiter/stdout").read_text().split()[1]
    assert int(ignored, 16) & 1 << (signal.SIGHUP - 1) == 0


def test_a_job_that_is_told_to_ignore_hangups_goes_on_as_well(sandbox: Sandbox) -> None:
    def deaf() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    run = sandbox.start("run", "./waiter", preexec_fn=deaf)
    run.wait_started(1)
    run.signal(signal.SIGHUP)
    (sandbox.here / "go").touch()
    assert run.wait().code == 0


def test_reports_that_were_asked_for_are_written_where_they_were_asked_for(
    sandbox: Sandbox,
) -> None:
    sandbox.run("run", "--detach", "/bin/false", "--json", "report.json", "--tap", "report.tap")
    sandbox.wait_nothing_runs()
    assert json.loads((sandbox.here / "report.json").read_text())["failures"] == 1
    assert "not ok 1" in (sandbox.here / "report.tap").read_text()


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["gone.sh"], 2, "gone.sh: does not exist"),
        (["./waiter", "--json", "-"], 4, "with --detach: name a file"),
        (["./waiter", "--job-results-dir", "/proc/x"], 2, "could not write results into /proc/x"),
        (["./waiter", "--spawner", "nowhere"], 4, "find spawner 'nowhere'"),
    ],
)
def test_what_goes_wrong_at_first_is_told_by_the_command(
    sandbox: Sandbox, argv: list[str], code: int, said: str
) -> None:
    end = sandbox.run("run", "--detach", *argv)
    assert (end.code, end.out) == (code, "")
    assert said in end.err
    sandbox.wait_nothing_runs()


def test_a_job_whose_process_is_killed_at_once_is_told(sandbox: Sandbox) -> None:
    env = patched(sandbox, "os.kill(os.getpid(), signal.SIGKILL)")
    end = sandbox.run("run", "--detach", "./waiter", env=env)
    assert (end.code, end.out) == (2, "")
    assert end.err == "nrunner: the job's process was ended by SIGKILL\n"


def test_a_fork_that_is_refused_is_told(sandbox: Sandbox) -> None:
    refusal = "raise BlockingIOError(11, os.strerror(11))"
    text = f"import os\ndef fork():\n    {refusal}\nos.fork = fork\n"
    sandbox.write("patch/sitecustomize.py", text, executable=False)
    env = {"PYTHONPATH": str(sandbox.here / "patch")}
    end = sandbox.run("run", "--detach", "./waiter", env=env)
    message = "could not start a process for the job: resource temporarily unavailable"
    assert (end.code, end.out, end.err) == (2, "", f"nrunner: {message}\n")


def test_an_interrupt_reaches_a_job_that_is_not_yet_on_its_own(sandbox: Sandbox) -> None:
    unblock = "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])"
    env = patched(sandbox, f"real(); {unblock}; open('here', 'w'); time.sleep(30)")
    run = sandbox.start("run", "--detach", "./waiter", env=env)
    wait_until((sandbox.here / "here").exists, "the job's process is there")
    # The job does not hear it before it is in a session of its own; the command passes it on.
    run.signal(signal.SIGINT)
    end = run.wait()
    assert (end.code, end.out) == (8, "")
    assert "interrupted" in end.err
    sandbox.wait_nothing_runs()


@pytest.mark.parametrize("flag", ["", "--detach"])
def test_a_job_can_be_started_with_all_standard_streams_closed(sandbox: Sandbox, flag: str) -> None:
    words = f"exec {sys.executable} -m nrunner run {flag} /bin/true <&- >&- 2>&-"
    shell = ["/bin/sh", "-c", words]
    process = subprocess.run(shell, cwd=sandbox.here, env=sandbox.env, check=False)
    assert process.returncode == 0
    sandbox.wait_nothing_runs()
    assert sandbox.results()["pass"] == 1
    # The first agent is well: no file of ours took the place of a standard stream of its.
    (agent,) = [each for each in sandbox.records() if each["type"] == "environment"]
    assert agent["generation"] == 1
