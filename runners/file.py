"""file: the requirement that a file or folder exists.

It cannot be fulfilled, only found. Not responsible for copying anything to where a test runs.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from typing import Any, Optional

from nrunner.errors import RunnerError
from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner

__all__ = ["File"]


class File(RequirementRunner):
    """Finds a file or folder, named by `uri` or by the kwarg ``name`` or ``path``."""

    kind = "file"
    description = "a file or folder that has to exist"

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if the file is there, else the reason why not."""
        return _missing(requirement, base_dir)


def _missing(what: Requirement, base_dir: str) -> Optional[str]:
    name: Any = what.uri or what.kwargs.get("name") or what.kwargs.get("path")
    if not isinstance(name, str):
        raise RunnerError('requirement "file" needs a uri, or the key "name" or "path"')
    try:
        os.stat(os.path.join(base_dir, name))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return f"file {name!r}: {str(reason).lower()} (looked for in {base_dir})"
    return None
