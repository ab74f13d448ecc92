"""kernel-module: the requirement that a module of Linux is loaded, or built in.

It is loaded by modprobe where that is allowed. Not responsible for unloading it again.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os

from nrunner.errors import RequirementError, RunnerError
from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner
from nrunner.runners.demand import Demand
from nrunner.runners.program import as_root, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["KernelModule"]

PROC, SYS, LIB = "/proc/modules", "/sys/module", "/lib/modules"


class KernelModule(RequirementRunner):
    """Looks for a module, and has it loaded."""

    kind = "kernel-module"
    description = "a module of the kernel that has to be loaded or built in"
    instant = False

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if it is in the kernel, else that it is not."""
        name = _read(requirement)[0]
        if name in _loaded() or name in _built_in() or os.path.isdir(f"{SYS}/{name}"):
            return None
        return f"the kernel {os.uname().release} has no module {name!r} loaded or built in"

    def fulfil(self, requirement: Requirement, base_dir: str) -> None:
        """Load it, with its parameters; raise RequirementError."""
        name, may_load, parameters = _read(requirement)
        if self.check(requirement, base_dir) is None:
            return
        if not may_load:
            raise RequirementError(f"module {name!r} is not loaded, and is not to be loaded")
        status, said = run(as_root(["modprobe", "--", name, *parameters]))
        if status:
            raise RequirementError(f"module {name!r} cannot be loaded: {said or f'exit {status}'}")
        reason = self.check(requirement, base_dir)
        if reason is not None:
            raise RequirementError(f"modprobe said nothing, but {reason}")


def _read(requirement: Requirement) -> tuple[str, bool, list[str]]:
    demand = Demand(requirement, "load", "parameters")
    name = demand.name().replace("-", "_")
    if "/" in name:
        raise RunnerError(f"a module's name has no slash: {name!r}")
    return name, demand.flag("load", True), demand.texts("parameters")


def _loaded() -> set[str]:
    try:
        with open(PROC, encoding="ascii", errors="replace") as file:
            return {line.split(" ", 1)[0] for line in file}
    except OSError:
        return set()  # a kernel without modules


def _built_in() -> set[str]:
    path = f"{LIB}/{os.uname().release}/modules.builtin"
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            names = (os.path.basename(line.strip()).partition(".ko")[0] for line in file)
            return {name.replace("-", "_") for name in names}
    except OSError:
        return set()
