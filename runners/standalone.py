"""Runs one Runnable without an agent, and reports it by messages.

Folders that the caller did not give are temporary. Not responsible for the command line
(``nrunner.runners.executable``) nor for timeouts: whoever called the executable has them.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from typing import Optional, Union

from nrunner.errors import NrunnerError
from nrunner.record import dataclass
from nrunner.result import Result
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner
from nrunner.runners.call import Call
from nrunner.runners.sender import Sender

__all__ = ["run_alone"]

_SENT_ONLY = ("pytest", "python-unittest", "robot")
"""Kinds whose output the receiver has to write; that of others is in `output_dir` already."""
_IDLE = ("dry-run", "noop")
"""Kinds that start no process, and need no folders."""


def run_alone(runner: Runner, call: Call) -> None:
    """Run the Runnable to its end; whatever becomes of it, the last message is ``finished``."""
    sender = Sender(call.status_uris, call.task_id, call.job_id)
    temporary = _Temporary()
    try:
        place = _place(call, temporary, runner.kind not in _SENT_ONLY)
        sender.started(place.output_dir)
        sender.finished(_Attempt(runner, call, place, sender).outcome())
    except (OSError, NrunnerError) as error:
        sender.finished(Outcome(Result.ERROR, str(error)))
    except Exception as error:
        # Whoever waits for us must not wait for ever because of a bug.
        sender.finished(Outcome(Result.ERROR, f"{type(error).__name__}: {error}"))
        raise
    finally:
        temporary.remove()
        sender.close()


class _Temporary:
    """A folder that is made when it is first needed, for what nobody wants to keep."""

    def __init__(self) -> None:
        self.path: Optional[str] = None

    def folder(self, name: str) -> str:
        """Return the path of a folder in here, made."""
        if self.path is None:
            base = os.environ.get("TMPDIR") or "/tmp"
            self.path = os.path.join(os.path.abspath(base), f"nrunner-{os.urandom(8).hex()}")
            os.mkdir(self.path, 0o700)
        path = os.path.join(self.path, name)
        os.mkdir(path, 0o700)
        return path

    def remove(self) -> None:
        """Remove it with all that is in it."""
        if self.path is not None:
            from nrunner.runners.removal import remove_tree

            remove_tree(self.path)


def _place(call: Call, temporary: _Temporary, log_in_output_dir: bool) -> Place:
    if call.output_dir is None:
        output_dir = temporary.folder("output")
    else:
        output_dir = os.path.abspath(call.output_dir)
        os.makedirs(output_dir, exist_ok=True)
    if call.runnable.kind in _IDLE:
        return Place(output_dir, output_dir, output_dir, os.getcwd())
    return Place(
        log_dir=output_dir if log_in_output_dir else temporary.folder("log"),
        output_dir=output_dir,
        work_dir=temporary.folder("work"),
        base_dir=os.getcwd(),
        task_id="" if call.task_id is None else str(call.task_id),
        job_id=call.job_id or "",
        report=f"{temporary.path}/report",
    )


@dataclass
class _Attempt:
    runner: Runner
    call: Call
    place: Place
    sender: Sender

    def outcome(self) -> Outcome:
        """Run the payload, send its output and return the outcome."""
        command = self.runner.command(self.call.runnable, self.place)
        if isinstance(command, Outcome):
            return command
        stdout, stderr = _create(self.place.stdout), _create(self.place.stderr)
        end = self._execute(command, stdout, stderr)
        log_only = self.place.log_dir == self.place.output_dir
        self.sender.output("stdout", stdout, log_only=log_only)
        self.sender.output("stderr", stderr, log_only=log_only)
        if isinstance(end, Outcome):
            return end
        report = _read_report(command)
        return self.runner.judge(self.call.runnable, self.place, end, report)

    def _execute(self, command: Command, stdout: int, stderr: int) -> Union[Exit, Outcome]:
        from nrunner.runners.child import spawn
        from nrunner.runners.watch import Watch

        env = {} if command.clear_env else dict(os.environ)
        env.update(command.env)
        watch = Watch()
        pid = spawn(command.argv, env, command.cwd, stdout, stderr)
        end = watch.until_end(pid, self.sender.running)
        if watch.stopped is not None:
            return Outcome(Result.INTERRUPT, f"ended by signal {watch.stopped} to its runner")
        return end


def _create(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)


def _read_report(command: Command) -> Optional[Outcome]:
    if command.report is None:
        return None
    import json

    try:
        with open(command.report, "rb") as file:
            return Outcome.from_json(json.load(file))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
