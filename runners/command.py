"""command: the requirement that a program is on PATH, maybe with a version that fits.

It cannot be fulfilled, only found. Not responsible for installing anything.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import shutil

from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner
from nrunner.runners.demand import Demand, asked, variables_of_tests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["CommandOnPath"]

_KEYS = ("version", "version_args")


class CommandOnPath(RequirementRunner):
    """Looks for a program, and asks it for its version where that matters."""

    kind = "command"
    description = "a program that has to be on PATH, with a version that fits"

    def is_instant(self, requirement: Requirement) -> bool:
        """Whether nothing has to be executed."""
        return "version" not in requirement.kwargs

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if the program is there, else what is missing or does not fit."""
        demand = Demand(requirement, *_KEYS)
        name, wanted = demand.name(), demand.pattern("version")
        words = demand.texts("version_args") or ["--version"]
        variables = variables_of_tests(self.config)
        path = _find(name, base_dir, variables.get("PATH", os.defpath))
        if path is None:
            where = f"in {base_dir}" if "/" in name else "on PATH"
            return f"there is no command {name!r} {where}"
        if wanted is None:
            return None
        _, said = asked([path, *words], variables)
        if wanted.search(said):
            return None
        version = next((line.strip() for line in said.splitlines() if line.strip()), "nothing")
        return f"command {name!r} says {version[:200]!r}, which does not match {wanted.pattern!r}"


def _find(name: str, base_dir: str, path: str) -> Optional[str]:
    if "/" in name:
        name = os.path.join(base_dir, name)
    return shutil.which(name, path=path)
