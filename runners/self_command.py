"""How nrunner's own code is started as another process, wherever this copy of it lives.

Not responsible for what runs there.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["self_command"]


def self_command(entry: str, python: Optional[str] = None) -> tuple[str, ...]:
    """Return the argv that starts `entry` with `python` (by default the interpreter of now).

    From the agent's zipapp that is the zipapp itself with the entry's name; from files it is the
    file of all entries, so that the interpreter need not have nrunner installed.
    """
    return (python or sys.executable, _home(), entry)


@lru_cache(maxsize=1)
def _home() -> str:
    archive: Optional[str] = getattr(globals().get("__loader__"), "archive", None)
    if archive is not None:
        return os.path.abspath(archive)
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "entry.py")
