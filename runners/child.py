"""Starting a payload: one `posix_spawn`, in a session of its own, no Python in between.

Not responsible for waiting or killing (``nrunner.runners.agent``, ``nrunner.runners.killing``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping
from functools import cache

from nrunner.runners.base import Exit

__all__ = ["exit_of", "explain", "prctl", "set_subreaper", "spawn"]

# What the interpreter or a supervisor ignores must not be inherited by payloads.
_RESTORED = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]
_PR_SET_CHILD_SUBREAPER = 36


def spawn(argv: tuple[str, ...], env: Mapping[str, str], cwd: str, stdout: int, stderr: int) -> int:
    """Start `argv` in a new session with its output in two open files; return its pid.

    `argv[0]` without a slash is looked up on PATH of the caller. The caller's own working folder
    changes to `cwd`, since posix_spawn has no other portable way. Raise OSError as exec does.
    """
    os.chdir(cwd)
    start = os.posix_spawn if "/" in argv[0] else os.posix_spawnp
    return start(
        argv[0],
        argv,
        env,
        file_actions=(
            (os.POSIX_SPAWN_DUP2, _nothing(), 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ),
        setsid=True,
        setsigmask=(),
        setsigdef=_RESTORED,
    )


@cache
def _nothing() -> int:
    """Return a file in which there is nothing to read; raise OSError."""
    # Once for all payloads: whoever starts one waits until it has opened what it needs.
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def explain(error: OSError, program: str) -> str:
    """Say for people why `spawn` could not start `program`."""
    if error.filename != program:
        what = "cannot start it" if error.filename is None else error.filename
        return f"{what}: {(error.strerror or str(error)).lower()}"
    if error.errno == errno.ENOENT:
        if os.path.lexists(program):
            name = _interpreter(program)
            why = " (lines end as on Windows, in CR LF)" if name.endswith("\r") else ""
            named = f" {name!r}" if name else ""
            return f"cannot execute {program!r}: its interpreter{named} is missing{why}"
        where = "" if "/" in program else ", here or on PATH"
        return f"there is no program {program!r}{where}"
    if os.path.isdir(program):
        return f"cannot execute {program!r}: it is a folder"
    if error.errno == errno.ENOEXEC:
        return f"cannot execute {program!r}: it is no program, nor a script that begins with #!"
    return f"cannot execute {program!r}: {(error.strerror or str(error)).lower()}"


def _interpreter(program: str) -> str:
    try:
        with open(program, "rb") as file:
            start = file.read(256)
    except OSError:
        return ""
    # As the kernel does, to which a carriage return is a part of the name.
    words = start[2:].split(b"\n")[0].replace(b"\t", b" ").strip(b" ").split(b" ")
    return os.fsdecode(words[0]) if start[:2] == b"#!" else ""


def exit_of(status: int) -> Exit:
    """Read a wait status as it comes from ``os.waitpid``."""
    if os.WIFSIGNALED(status):
        return Exit(None, os.WTERMSIG(status), os.WCOREDUMP(status))
    return Exit(os.WEXITSTATUS(status))


def set_subreaper() -> bool:
    """Have orphaned descendants become children of this process; return whether it worked."""
    return prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0


def prctl(option: int, value: int) -> int:
    """Set a property of this process by prctl; return -1 where there is none."""
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        return -1
    return int(call(option, value, 0, 0, 0))
