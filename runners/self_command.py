"""How nrunner's own code is started as another process, wherever this copy of it lives.

Not responsible for what runs there.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import sys
from typing import Optional

__all__ = ["self_command"]

_FILES = {"unittest-child": "unittest_child.py", "zygote": "zygote.py"}


def self_command(entry: str, python: Optional[str] = None) -> tuple[str, ...]:
    """Return the argv that starts `entry` with `python` (by default the interpreter of now).

    From the agent's zipapp that is the zipapp itself with the entry's name; from files it is the
    entry's own file, so that the interpreter need not have nrunner installed.
    """
    archive = getattr(globals().get("__loader__"), "archive", None)
    start = python or sys.executable
    if archive is not None:
        return (start, os.path.abspath(archive), entry)
    return (start, os.path.join(os.path.dirname(os.path.abspath(__file__)), _FILES[entry]))
