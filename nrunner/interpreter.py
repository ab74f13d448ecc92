"""Which Python runs the tests, if nobody says.

Not responsible for starting it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

__all__ = ["on_path", "test_interpreter"]


def test_interpreter(environ: Mapping[str, str]) -> str:
    """Return the active virtual environment's, else python3 on PATH, else our own."""
    active = environ.get("VIRTUAL_ENV", "")
    if active:
        python = os.path.join(active, "bin", "python")  # noqa: PTH118 - a string is wanted
        if os.access(python, os.X_OK):
            return python
    return on_path("python3", environ) or sys.executable


def on_path(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of a program; like ``shutil.which`` without what that has to import."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", name)  # noqa: PTH118
        if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113
            return path
    return None
