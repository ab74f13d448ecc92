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


def glance(base_dir: Path, name: str) -> Glance:
    """Look at a file in a folder; one that cannot be read may still be a program."""
    # Asked for each reference: an object for the path and one for the file would double the cost.
    path = name if name[:1] == "/" else f"{base_dir}/{name}"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            return Glance()
        executable = os.access(path, os.X_OK)
        head = _head(path)
    except PermissionError:
        return Glance(True, os.access(path, os.X_OK), os.access(path, os.X_OK))
    except OSError:
        return Glance()
    if not head.startswith(b"#!"):
        return Glance(True, executable, head.startswith(_ELF))
    words = os.fsdecode(head[2:].partition(b"\n")[0]).strip().split(None, 1)
    return Glance(True, executable, True, tuple(words))


def _head(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 256)
    finally:
        os.close(file)
