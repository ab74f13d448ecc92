"""What can be seen of a file without running it: executable or not, script or binary.

Not responsible for what kind of test it is.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from nrunner.record import dataclass

__all__ = ["Glance", "glance"]

_ELF = b"\x7fELF"


@dataclass(frozen=True, slots=True)
class Glance:
    """What a look at a file's mode and first line tells."""

    exists: bool = False
    is_executable: bool = False
    is_program: bool = False
    """Whether the kernel would know how to start it: a script with ``#!``, or a binary."""
    interpreter: tuple[str, ...] = ()
    """The words after ``#!``."""


def glance(path: Path) -> Glance:
    """Look at a file; one that cannot be read may still be a program."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return Glance()
        executable = os.access(path, os.X_OK)
        with path.open("rb", buffering=0) as file:
            head = file.read(256)
    except PermissionError:
        return Glance(True, os.access(path, os.X_OK), os.access(path, os.X_OK))
    except OSError:
        return Glance()
    if not head.startswith(b"#!"):
        return Glance(True, executable, head.startswith(_ELF))
    words = os.fsdecode(head[2:].partition(b"\n")[0]).strip().split(None, 1)
    return Glance(True, executable, True, tuple(words))
