"""Programs that fulfil requirements: run with their output in the log, as root where needed.

Not responsible for what they do, nor for bounds: whoever started this process has them.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping

from nrunner.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["as_root", "complaint", "run", "run_lines", "say"]

_KEPT = 30
"""Lines of output in which the reason of a failure is looked for."""
_COMPLAINTS = ("e: ", "error", "err:", "fatal", "failed", "could not", "cannot", "not found")


def say(text: str) -> None:
    """Say something in the log."""
    print(text, flush=True)


def run(argv: list[str], env: Optional[Mapping[str, str]] = None) -> tuple[int, str]:
    """Run a program with its output in the log; return its exit status, and what it complained of.

    `env` are variables beside those of this process. Raise RequirementError if it cannot be
    started.
    """
    status, lines = run_lines(argv, env)
    return status, complaint(lines)


def run_lines(argv: list[str], env: Optional[Mapping[str, str]] = None) -> tuple[int, list[str]]:
    """Do the same; return the last lines of its output."""
    say("+ " + " ".join(map(shlex.quote, argv)))
    try:
        process = subprocess.Popen(
            argv,
            env={**os.environ, **(env or {}), "PATH": _path()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RequirementError(f"{argv[0]} cannot be executed: {reason.lower()}") from error
    kept: deque[str] = deque(maxlen=_KEPT)
    assert process.stdout is not None
    with process, process.stdout as output:
        for line in iter(lambda: output.readline(1 << 16), b""):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            text = line.decode("utf-8", "replace").strip()
            if text:
                kept.append(text)
    return process.returncode, list(kept)


def _path() -> str:
    """Return where programs are looked for: those of root are not on everybody's PATH."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def complaint(lines: list[str]) -> str:
    """Return the line that says best what went wrong: the last that sounds like it, or the last."""
    for line in reversed(lines):
        if line.lower().startswith(_COMPLAINTS) or any(c in line.lower() for c in _COMPLAINTS[1:]):
            return line
    return lines[-1] if lines else ""


def as_root(argv: list[str]) -> list[str]:
    """Return the command that does the same as root; raise RequirementError if nothing can."""
    if os.geteuid() == 0:
        return argv
    sudo = shutil.which("sudo")
    if sudo is not None:
        asked = [sudo, "-n", "true"]
        quiet = subprocess.DEVNULL
        done = subprocess.run(asked, stdin=quiet, stdout=quiet, stderr=quiet, check=False)
        if done.returncode == 0:
            return [sudo, "-n", *argv]
    why = "there is no sudo" if sudo is None else "sudo asks for a password"
    raise RequirementError(f"{argv[0]} needs root, this is user {os.geteuid()}, and {why}")
