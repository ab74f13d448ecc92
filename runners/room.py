"""Folders in which little room is left, or none: why an attempt may fail, whatever it says.

What finds no room says so where nobody may see it, or not at all. Looked at for attempts that
failed, and beforehand where that is asked for. Not responsible for the room that output needs
(``nrunner.runners.capture``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os

from nrunner.record import replace
from nrunner.runners.base import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SCRATCH", "blamed", "check", "full"]

SCRATCH = ("/tmp", "/dev/shm")
"""Where tests write what they need no longer than they run."""
_LEAST = 4096
"""Bytes of which a file takes one piece at least."""


def blamed(outcome: Outcome, folders: Sequence[str]) -> Outcome:
    """Return the outcome of an attempt that failed, with these folders, which are full."""
    if not outcome.fail_reason or not folders:
        return outcome
    reason = f"{outcome.fail_reason} (no space left in {' and '.join(folders)})"
    return replace(outcome, fail_reason=reason)


def full(folders: Sequence[str] = SCRATCH) -> list[str]:
    """Return those of some folders that have no room for anything more."""
    return [each for each in folders if _is_full(each)]


def check(folder: str, least: int) -> None:
    """Raise OSError if the disk of a folder is so full that whatever runs may suffer from it."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < least:
        had, needed = f"{free >> 10} KiB free", f"{least >> 10} are needed"
        raise OSError(f"the disk with {folder} has {had}, {needed} before a test begins")


def _is_full(folder: str) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    free = found.f_bavail if os.geteuid() else found.f_bfree
    # Where there is no limit, none is told.
    return found.f_blocks > 0 and free * found.f_frsize < _LEAST
