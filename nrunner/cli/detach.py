"""``nrunner run --detach``: the job goes on as a process of its own, and the command returns.

The fork happens when the plan is made, before there is any thread, event loop or agent. What goes
wrong until the job can be talked to is told by the job's process on the caller's standard error,
which it gives up then; its exit code becomes the command's. Not responsible for the job itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from nrunner.cli.output import say, say_error
from nrunner.cli.run import carry_out
from nrunner.config import Config
from nrunner.errors import ExitCode, SpawnError
from nrunner.layout import JobFolder, short_id
from nrunner.plan import JobPlan
from nrunner.record import replace
from nrunner.results.base import JobReport, Listener, TaskReport
from nrunner.task import Task

__all__ = ["outliving", "run_detached"]

_DEADLINE = "agent.orphan_deadline"
_LONGER = 600.0
"""Seconds: nobody sits in front of a detached job to see that its controller died."""
_PASSED_ON = (signal.SIGINT, signal.SIGTERM)


def run_detached(plan: JobPlan, config: Config) -> int:
    """Start a job as a process of its own; return 0 once it can be talked to.

    Returns a second time in that process, with the exit code of the job.
    """
    plan = outliving(plan, config)
    reading, writing = _pipe()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    pid = _fork()
    if pid == 0:
        return _run(plan, config, writing)
    os.close(writing)
    return _wait(pid, reading)


def outliving(plan: JobPlan, config: Config) -> JobPlan:
    """Return a plan whose agents wait longer for a controller, unless the user says how long."""
    if config.source(_DEADLINE) != "default":
        return plan
    return replace(plan, config={**plan.config, _DEADLINE: _LONGER})


def _fork() -> int:
    """Part in two; neither hears of an interrupt before it knows what to do about it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    try:
        return os.fork()
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        raise _refused(error) from error


def _pipe() -> tuple[int, int]:
    """Return a pipe that is not mistaken for a standard stream, should one be closed."""
    import fcntl

    try:
        ends = os.pipe()
        reading, writing = (fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 3) for each in ends)
    except OSError as error:
        raise _refused(error) from error
    for each in ends:
        os.close(each)
    return reading, writing


def _refused(error: OSError) -> SpawnError:
    return SpawnError(f"start a process for the job: {(error.strerror or str(error)).lower()}")


def _wait(pid: int, reading: int) -> int:
    """Wait until the job can be talked to, or is over; signals are the job's."""
    for number in _PASSED_ON:
        signal.signal(number, lambda received, _frame: os.kill(pid, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    with open(reading, encoding="ascii") as pipe:
        job_id = pipe.read()
    if not job_id:
        return _failed(pid)
    say(job_id)
    short = short_id(job_id)
    say_error(f"the job goes on: nrunner jobs attach {short} shows it, jobs cancel {short} ends it")
    return ExitCode.OK


def _failed(pid: int) -> int:
    """Return the exit code of a job that came to nothing, and has said why."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code < 0:
        say_error(f"the job's process was ended by {signal.Signals(-code).name}")
        return ExitCode.JOB_FAILED
    return code


# In the job's process.


def _run(plan: JobPlan, config: Config, writing: int) -> int:
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    _leave_caller(writing)

    def listen() -> Sequence[Listener]:
        from nrunner.results.registry import make_console

        stream = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        return [_Redirection(), make_console(stream, show=config.show, quiet=config.quiet)]

    def serving(folder: JobFolder) -> None:
        os.dup2(1, 2)
        with contextlib.suppress(BrokenPipeError):
            os.write(writing, folder.job_id.encode("ascii"))
        os.close(writing)

    return carry_out(plan, listen, serving)


def _leave_caller(writing: int) -> None:
    """Keep nothing of the caller's open but standard error and the pipe to the command."""
    for number in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
        if number not in (0, 1, 2, writing):
            with contextlib.suppress(OSError):
                os.close(number)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    os.close(nothing)


class _Redirection:
    """Sends what is printed into the job's folder, as soon as there is one."""

    def job_opened(self, job: JobReport) -> None:
        """Send standard output to the job's own file."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            file = os.open(JobFolder(job.folder).console_log, flags, 0o600)
            os.dup2(file, 1)
            os.close(file)

    def task_started(self, task: Task, time: float) -> None:
        """Nothing to do."""

    def task_settled(self, report: TaskReport) -> None:
        """Nothing to do."""

    def notice(self, text: str) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""

    def job_closed(self, job: JobReport) -> None:
        """Nothing to do."""
