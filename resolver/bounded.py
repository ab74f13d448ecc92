"""A program that is asked something: bounded in time, and gone afterwards with all it started.

Not responsible for what it is asked, nor for reading the answer.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nrunner.resolver.base import Context
from nrunner.termination import terminations_interrupt

__all__ = ["BoundedError", "last_line", "run_bounded", "run_leashed"]

_LEASH = (
    "/bin/sh",
    "-c",
    'exec 3<&0; ((read _ <&3; kill -9 0) >/dev/null 2>&1 &); exec "$@" 3<&- </dev/null',
    "sh",
)
"""Ends its process group once nobody holds the other end of its standard input any more.

That is done by a process of its own, which is no child of the program."""


class BoundedError(Exception):
    """It could not be started, or took too long: a fragment that says which."""


def run_bounded(
    argv: Sequence[str], context: Context, *, stderr: Path, stdout: Path | None = None
) -> str:
    """Run a program in the folder of the references; return how it ended, or raise BoundedError.

    What it prints goes to files.
    """
    with stderr.open("wb") as errors, Path(stdout or os.devnull).open("wb") as output:
        status = run_leashed(argv, context, output.fileno(), errors.fileno())
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"exited with status {status}"


def run_leashed(argv: Sequence[str], context: Context, stdout: int, stderr: int) -> int:
    """Run a program, printing to two open files; return its exit status, or raise BoundedError.

    All of its process group is ended once it has ended itself, and if we end before, however.
    """
    if shutil.which(argv[0], path=context.env.get("PATH")) is None:
        reason = "permission denied" if Path(argv[0]).is_file() else "no such file or directory"
        raise BoundedError(f"could not start {argv[0]}: {reason}")
    leash, held = os.pipe()
    with terminations_interrupt(), os.fdopen(leash) as end, os.fdopen(held, "w"):
        try:
            child = subprocess.Popen(
                (*_LEASH, *argv),
                cwd=context.base_dir,
                env={**os.environ, **context.env} if context.env else None,
                stdin=end,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = str(getattr(error, "strerror", None) or error).lower()
            raise BoundedError(f"could not start {argv[0]}: {reason}") from error
        try:
            return child.wait(context.discovery_timeout)
        except subprocess.TimeoutExpired as error:
            limit = f"{context.discovery_timeout:g} s"
            raise BoundedError(f"{argv[0]} did not answer within {limit}") from error
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def last_line(path: Path) -> str:
    """Return the last line that a program has printed, after a colon; empty if there is none."""
    last = path.read_text("utf-8", "replace").strip().splitlines()[-1:]
    return f": {last[0]}" if last else ""
