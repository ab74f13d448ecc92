"""package: the requirement that packages of the distribution are installed, or are not.

By apt, dnf, zypper, pacman or apk, whichever is there. What it knows of packages is refreshed only
where one is not known. Who else works with packages is waited for, in bounds. Not responsible for
packages of Python (``pip``), nor for adding repositories.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import shutil
import time

from nrunner.errors import RequirementError
from nrunner.record import dataclass
from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner
from nrunner.runners.demand import Demand, asked
from nrunner.runners.package_manager import MANAGERS, Manager
from nrunner.runners.program import as_root, complaint, run_lines, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Package"]

_LOCKED_FOR = 300.0
"""Seconds that somebody else may have the package manager, unless the requirement says."""
_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
"""Seconds between two looks at the lock."""
_FRESH_FOR = 600.0
"""Seconds in which what is known of packages need not be refreshed again."""
_SOURCES = (
    *("/etc/apt", "/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/yum.repos.d"),
    *("/etc/zypp/repos.d", "/etc/pacman.conf", "/etc/pacman.d", "/etc/apk/repositories"),
)
"""Where it is said where packages come from."""


class Package(RequirementRunner):
    """Asks, and tells, the package manager of the distribution."""

    kind = "package"
    description = "packages of the distribution: installed, or removed"
    instant = False

    def resource(self, requirement: Requirement) -> str:
        """Return that there is one package manager."""
        return "package manager"

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if the packages are there (or are not), else which are wrong."""
        wanted = _Wanted.of(requirement)
        wrong = wanted.wrong(_manager(wanted))
        return "; ".join(reason for _, reason in wrong) or None

    def fulfil(self, requirement: Requirement, base_dir: str) -> None:
        """Install, or remove, what is wrong; raise RequirementError."""
        wanted = _Wanted.of(requirement)
        manager = _manager(wanted)
        wrong = wanted.wrong(manager)
        if not wrong:
            return
        if wanted.action == "check":
            raise RequirementError("; ".join(reason for _, reason in wrong))
        verb = manager.install if wanted.action == "install" else manager.remove
        work = _Work(manager, wanted.timeout, str(self.config.get("agent.folder") or ""))
        status, lines = work.run([*verb, *(name for name, _ in wrong)])
        if status not in manager.fine and manager.is_unknown(lines) and work.refresh():
            status, lines = work.run([*verb, *(name for name, _ in wrong)])
        left = "; ".join(reason for _, reason in wanted.wrong(manager))
        if left:
            said = manager.complaint(lines) or complaint(lines) or f"it ended with status {status}"
            raise RequirementError(f"{left}; {manager.program} says: {said}")
        if status not in manager.fine:
            say(f"{manager.program} ended with status {status}, but all is as it should be")


@dataclass(frozen=True)
class _Wanted:
    """What a requirement asks for."""

    packages: tuple[tuple[str, Optional[str]], ...]
    """Names, with a version where one is asked for."""
    action: str
    manager: Optional[str]
    timeout: float

    @classmethod
    def of(cls, requirement: Requirement) -> _Wanted:
        """Read a requirement; raise RunnerError."""
        demand = Demand(requirement, "names", "action", "version", "manager", "timeout")
        names = demand.names("names")
        for name in names:
            if name.startswith("-") or any(c.isspace() or c in ",;|&<>'\"" for c in name):
                demand.fail("names", f"{name!r} is no name of a package")
        version, manager = demand.text("version"), demand.text("manager")
        if version is not None and len(names) > 1:
            demand.fail("version", "it is for one package; say NAME=VERSION in a list")
        if manager is not None and manager not in MANAGERS:
            demand.fail("manager", f"expected one of {', '.join(MANAGERS)}, not {manager!r}")
        packages = []
        for name in names:
            name, _, own = name.partition("=")
            packages.append((name, own or version))
        timeout = demand.number("timeout")
        return cls(
            tuple(packages),
            demand.choice("action", "install", "check", "remove"),
            manager,
            _LOCKED_FOR if timeout is None else timeout,
        )

    def wrong(self, manager: Manager) -> list[tuple[str, str]]:
        """Return the packages that are not as they should be, and why, by what they are called."""
        found = []
        for name, version in self.packages:
            has = manager.version(name, *asked([*manager.query, name], {**os.environ, **_PLAIN}))
            if self.action == "remove":
                if has is not None:
                    found.append((name, f"package {name!r} is installed ({has})"))
            elif has is None:
                at = f" (version {version} is required)" if version else ""
                found.append((_called(manager, name, version), f"package {name!r} is missing{at}"))
            elif version and has != version and not has.startswith(version + "-"):
                reason = f"package {name!r} is there in version {has}, not {version}"
                found.append((_called(manager, name, version), reason))
        return found


_PLAIN = {"LC_ALL": "C", "LANG": "C"}
"""What is printed is read."""


def _called(manager: Manager, name: str, version: Optional[str]) -> str:
    if version and not manager.at_version:
        return name  # it is seen afterwards whether that is the right one
    return manager.called(name, version)


def _manager(wanted: _Wanted) -> Manager:
    """Return the package manager that is here; raise RequirementError."""
    candidates = [MANAGERS[wanted.manager]] if wanted.manager else list(MANAGERS.values())
    for each in candidates:
        if shutil.which(each.program) and shutil.which(each.query[0]):
            return each
    names = ", ".join(each.program for each in candidates)
    raise RequirementError(f"there is no package manager here that is known ({names})")


class _Work:
    """What the package manager is told, while others may have its lock."""

    def __init__(self, manager: Manager, timeout: float, folder: str) -> None:
        """`folder` is one that lasts as long as the agent, empty where there is none."""
        self._manager = manager
        self._timeout = timeout
        self._stamp = f"{folder}/refreshed-{manager.name}" if folder else ""

    def run(self, argv: list[str]) -> tuple[int, list[str]]:
        """Run a command as root once the lock is free; raise RequirementError if it never is."""
        manager = self._manager
        env = {**manager.env, **_PLAIN}
        command = as_root(argv)
        if command is not argv:
            # What sudo starts has an environment of its own.
            at = command.index(argv[0])
            pairs = [f"{key}={value}" for key, value in env.items()]
            command = [*command[:at], "env", *pairs, *argv]
        began = time.monotonic()
        while True:
            status, lines = run_lines(command, env)
            holder = None if status in manager.fine else manager.locked_by(status, lines)
            if holder is None:
                return status, lines
            waited = time.monotonic() - began
            left = self._timeout - waited
            if left <= 0:
                raise RequirementError(
                    f"{manager.program} was locked by somebody else for {waited:.1f} s: {holder}"
                )
            say(f"waits for the lock of {manager.program}, for {left:.0f} s at most")
            time.sleep(min(left, max(_PAUSE, min(_LONGEST_PAUSE, waited / 4))))

    def refresh(self) -> bool:
        """Have the manager learn which packages there are; return whether that may help."""
        if self._stamp and _is_fresh(self._stamp):
            say(f"what is known of packages is {_FRESH_FOR / 60:g} minutes old at most")
            return False
        status, lines = self.run(list(self._manager.refresh))
        if status not in self._manager.fine:
            say(f"not refreshed: {complaint(lines)}")
            return True  # some of it may be
        if self._stamp:
            with open(self._stamp, "w", encoding="ascii"):
                pass
        return True


def _is_fresh(stamp: str) -> bool:
    """Whether packages were refreshed a short time ago, and none of their sources changed since."""
    try:
        then = os.stat(stamp).st_mtime
    except OSError:
        return False
    if not 0 <= time.time() - then < _FRESH_FOR:
        return False
    for path in _SOURCES:
        try:
            if os.stat(path).st_mtime >= then:
                return False
        except OSError:
            continue
    return True
