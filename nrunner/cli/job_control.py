"""``nrunner jobs attach``, ``wait`` and ``cancel``: what can be done with a job that runs.

Not responsible for how a job is followed (``nrunner.following``) or asked (``nrunner.control``).
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from nrunner.cli.chosen import chosen_job, job_argument
from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say, say_error
from nrunner.cli.settings import configuration, flags_of
from nrunner.cli.summary import code_of, told_state
from nrunner.errors import ExitCode, NrunnerError, UsageError
from nrunner.layout import JobFolder, id_of, short_id
from nrunner.lock import JobState, JobStatus, state_of, wait_free
from nrunner.option import Duration

__all__ = ["attach", "cancel", "wait"]


class NotRunning(NrunnerError):
    """What was asked for can be done with a job that runs alone."""


@click.command()
@job_argument()
@click.option("--from-now", is_flag=True, help="Leave out what happened before.")
@setting_flags("run.results_dir", "output.show", "output.quiet")
def attach(job: str, from_now: bool, **flags: Any) -> int:
    """Show JOB as its own console does, from its start; return its exit code when it ends.

    JOB is "latest", a folder, or the beginning of an id. Ctrl-C ends the showing, with exit code 8;
    the job goes on. A job that is over is shown as it was. The exit code is 2 for one that is
    interrupted or borked.
    """
    from nrunner.following import Following
    from nrunner.results.registry import make_console
    from nrunner.retelling import Retelling

    folder = chosen_job(job, flags)
    with ExitStack() as stack:
        stream = sys.stdout
        if stream is None:  # it was closed before Python began
            stream = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        config = configuration(flags_of(flags))
        console = make_console(stream, show=config.show, quiet=config.quiet)
        retelling = Retelling(folder.root, console, is_silent=from_now)
        following = Following(folder, retelling, _pipe(stack))
        try:
            following.catch_up()
            retelling.speak()
            status = following.to_the_end(getattr(console, "animate", None))
        except KeyboardInterrupt:
            return _left(folder, "detached")
        code = retelling.finish()
    if status.state is JobState.RUNNING:  # nobody reads on
        return ExitCode.OK
    return _told(folder, status) if code is None else code


def _pipe(stack: ExitStack) -> int | None:
    """Return standard output if it is a pipe: in a copy, since a console gives up a broken one."""
    try:
        if not stat.S_ISFIFO(os.fstat(1).st_mode):
            return None
        copy = os.dup(1)
    except OSError:
        return None
    stack.callback(os.close, copy)
    return copy


@click.command()
@job_argument()
@click.option("--timeout", metavar="TIME", help="Wait no longer than this, for example 90s or 1h.")
@setting_flags("run.results_dir")
def wait(job: str, timeout: str | None, **flags: Any) -> int:
    """Wait until JOB is over; return its exit code.

    JOB is "latest", a folder, or the beginning of an id. The exit code is 8 if it still runs after
    --timeout, 2 if it is interrupted or borked.
    """
    seconds = None if timeout is None else _seconds(timeout)
    folder = chosen_job(job, flags)
    status = state_of(folder)
    if status.state is JobState.RUNNING:
        try:
            if not wait_free(folder, seconds):
                return _left(folder, f"it still runs after {timeout}")
        except KeyboardInterrupt:
            return _left(folder, "not waited for any longer")
        status = state_of(folder)
    if status.state is not JobState.COMPLETE:
        return _told(folder, status)
    return code_of(folder)


@click.command()
@job_argument(is_due=True)
@click.option("--task", type=click.IntRange(1), metavar="N", help="End only the task N.")
@click.option("--kill", is_flag=True, help="Kill what runs, as Ctrl-C twice does.")
@setting_flags("run.results_dir")
def cancel(job: str, task: int | None, kill: bool, **flags: Any) -> int:
    """End JOB as Ctrl-C does: no more tests are started, those that run are told to end.

    JOB is "latest", a folder, or the beginning of an id. Returns at once; nrunner jobs wait waits
    for the end.
    """
    from nrunner.control import ControlError, Refused, ask

    if kill and task is not None:
        raise UsageError("use --kill with --task: a task that is past its grace is killed anyway")
    folder = chosen_job(job, flags)
    socket = _control_socket(folder)
    what, target = f"job {short_id(id_of(folder))}", "/cancel?kill=true" if kill else "/cancel"
    if task is not None:
        what, target = f"task {task} of {what}", f"/tasks/{task}/cancel"
    try:
        ask(socket, target, post=True)
    except Refused as error:
        raise ControlError(f"cancel {what}: {error}") from error
    say(f"{what} is told to end")
    return ExitCode.OK


def _control_socket(folder: JobFolder) -> Path:
    """Return where a job can be told something; raise NotRunning if it cannot."""
    status = state_of(folder)
    path = folder.control_socket
    if status.state is JobState.RUNNING and path is not None:
        return path
    what = f"cancel job {short_id(id_of(folder))}"
    if status.state is JobState.COMPLETE:
        raise NotRunning(f"{what}: it is complete")
    if status.state is JobState.RUNNING:
        raise NotRunning(f"{what}: it is just starting; try again in a moment")
    raise NotRunning(f"{what}: it is {told_state(status)}")


def _seconds(text: str) -> float:
    try:
        return Duration().from_toml(text)
    except ValueError as error:
        raise UsageError(f"use --timeout: {error}") from error


def _left(folder: JobFolder, why: str) -> int:
    """Say that a job goes on without us."""
    short = short_id(id_of(folder))
    say_error(f"{why}; job {short} goes on: nrunner jobs attach {short} comes back to it")
    return ExitCode.INTERRUPTED


def _told(folder: JobFolder, status: JobStatus) -> int:
    """Say what is wrong with a job that has no end."""
    say_error(f"job {short_id(id_of(folder))} is {told_state(status)}")
    return ExitCode.JOB_FAILED
