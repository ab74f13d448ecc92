"""python: the requirement that an interpreter has a version that fits.

Without a name it is the one that runs the tests (``runner.python``). It cannot be fulfilled.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import shutil
import sys

from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner
from nrunner.runners.demand import Demand, asked, variables_of_tests
from nrunner.runners.version import Specifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Python"]

_ASK = "import sys; print(*sys.version_info[:3])"


class Python(RequirementRunner):
    """Asks an interpreter for its version."""

    kind = "python"
    description = "a Python interpreter whose version fits"

    def is_instant(self, requirement: Requirement) -> bool:
        """Whether it is our own interpreter, which needs no other process."""
        named = requirement.uri is not None or "name" in requirement.kwargs
        return not named and self.config.get("runner.python") in (None, "", sys.executable)

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if the version fits, else which one there is."""
        demand = Demand(requirement, "version")
        wanted = demand.text("version")
        try:
            specifier = None if wanted is None else Specifier(wanted)
        except ValueError as error:
            demand.fail("version", str(error))
        if self.is_instant(requirement):
            name, version = sys.executable, tuple(sys.version_info[:3])
        else:
            name = demand.name() if demand.has_name() else str(self.config["runner.python"])
            variables = variables_of_tests(self.config)
            path = shutil.which(
                os.path.join(base_dir, name) if "/" in name else name,
                path=variables.get("PATH", os.defpath),
            )
            if path is None:
                return f"there is no interpreter {name!r}{'' if '/' in name else ' on PATH'}"
            status, said = asked([path, "-I", "-S", "-c", _ASK], variables)
            words = said.split()
            if status or len(words) != 3 or not all(word.isdigit() for word in words):
                return f"{name!r} is no Python interpreter: it says {said.strip()[:100]!r}"
            version = tuple(map(int, words))
        if specifier is None or specifier.admits(version):
            return None
        return f"{name} is Python {'.'.join(map(str, version))}, and {wanted} is required"
