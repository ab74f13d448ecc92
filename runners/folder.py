"""Making folders where a test may have put something else, or nothing is any more.

Not responsible for removing them (``nrunner.runners.removal``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import stat

__all__ = ["make_folder"]


def make_folder(folder: str) -> None:
    """Make a folder, with those above it; what a test may have put in its place goes."""
    try:
        os.mkdir(folder, 0o700)
    except FileNotFoundError:
        make_folder(os.path.dirname(folder))  # a test may have deleted it
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            os.unlink(folder)
            os.mkdir(folder, 0o700)
