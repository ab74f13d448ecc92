"""Package managers, as data: which commands install, remove, refresh, and tell what is there.

Also how each says that somebody else has its lock, and that it does not know a package. Not
responsible for executing anything (``nrunner.runners.package``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nrunner.record import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["MANAGERS", "Manager"]


@dataclass(frozen=True)
class Manager:
    """One package manager."""

    name: str
    program: str
    """What has to be on PATH."""
    query: tuple[str, ...]
    """Tells the version of an installed package, whose name is added."""
    found: str
    """Regular expression for the version in what the query prints; NAME stands for the name."""
    install: tuple[str, ...]
    remove: tuple[str, ...]
    refresh: tuple[str, ...]
    """Learns which packages there are."""
    at_version: str
    """How a package at a version is called; empty if it cannot be asked for."""
    locked: str
    """Regular expression for what is printed while somebody else has the lock."""
    unknown: str
    """Regular expression for what is printed of a package that is not known, or not any more."""
    locked_status: tuple[int, ...] = ()
    fine: tuple[int, ...] = (0,)
    """Exit statuses with which it has done what was asked."""
    env: Mapping[str, str] = field(default_factory=dict)

    def version(self, name: str, status: int, said: str) -> Optional[str]:
        """Return the version of a package from what the query printed, None if it is not there."""
        if status != 0:
            return None
        match = re.search(self.found.replace("NAME", re.escape(name)), said, re.MULTILINE)
        return match.group(1) if match else None

    def locked_by(self, status: int, lines: list[str]) -> Optional[str]:
        """Return what it said if it failed since somebody else works with packages, else None."""
        for line in lines:
            if re.search(self.locked, line, re.IGNORECASE):
                return line
        return f"it ended with status {status}" if status in self.locked_status else None

    def is_unknown(self, lines: list[str]) -> bool:
        """Whether it may help to refresh what it knows."""
        return bool(self.complaint(lines))

    def complaint(self, lines: list[str]) -> str:
        """Return the line that says that a package is not known, "" if there is none."""
        known = (line for line in reversed(lines) if re.search(self.unknown, line, re.IGNORECASE))
        return next(known, "")

    def called(self, name: str, version: Optional[str]) -> str:
        """Return how a package, at a version if there is one, is called."""
        return self.at_version.format(name=name, version=version) if version else name


_APT = Manager(
    name="apt",
    program="apt-get",
    query=("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Version}\\n"),
    found=r"^[hi]i +(\S+)$",
    install=("apt-get", "install", "-y", "-q", "-o", "Dpkg::Options::=--force-confold"),
    remove=("apt-get", "remove", "-y", "-q"),
    refresh=("apt-get", "update", "-q"),
    at_version="{name}={version}",
    locked=r"could not get lock|is another process using it",
    unknown=r"unable to locate package|no installation candidate|has no available version"
    r"|version .* was not found|failed to fetch|unable to fetch",
    env={"DEBIAN_FRONTEND": "noninteractive", "DEBCONF_NONINTERACTIVE_SEEN": "true"},
)
_RPM = ("rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}\\n")
_DNF = Manager(
    name="dnf",
    program="dnf",
    query=_RPM,
    found=r"^(\S+)$",
    install=("dnf", "--setopt=exit_on_lock=True", "install", "-y"),
    remove=("dnf", "--setopt=exit_on_lock=True", "remove", "-y"),
    refresh=("dnf", "--setopt=exit_on_lock=True", "makecache", "--refresh"),
    at_version="{name}-{version}",
    locked=r"another copy is running|can't create transaction lock",
    unknown=r"no match for argument|unable to find a match|status code: 404",
    locked_status=(200,),
)
_ZYPPER = Manager(
    name="zypper",
    program="zypper",
    query=_RPM,
    found=r"^(\S+)$",
    install=("zypper", "--non-interactive", "install", "--auto-agree-with-licenses"),
    remove=("zypper", "--non-interactive", "remove"),
    refresh=("zypper", "--non-interactive", "refresh"),
    at_version="{name}={version}",
    locked=r"system management is locked",
    unknown=r"no provider of|not found in package names|not found on medium",
    locked_status=(7,),
    fine=(0, 100, 101, 102, 103),
    env={"ZYPP_LOCK_TIMEOUT": "0"},
)
_PACMAN = Manager(
    name="pacman",
    program="pacman",
    query=("pacman", "-Q"),
    found=r"^NAME (\S+)$",
    install=("pacman", "-S", "--noconfirm", "--needed"),
    remove=("pacman", "-R", "--noconfirm"),
    refresh=("pacman", "-Sy", "--noconfirm"),
    at_version="",
    locked=r"unable to lock database",
    unknown=r"target not found|failed retrieving file",
)
_APK = Manager(
    name="apk",
    program="apk",
    query=("apk", "list", "--installed"),
    found=r"^NAME-(\d\S*) ",
    install=("apk", "add"),
    remove=("apk", "del"),
    refresh=("apk", "update"),
    at_version="{name}={version}",
    locked=r"unable to lock database: .*temporarily",
    unknown=r"no such package|unable to select packages",
)

MANAGERS = {each.name: each for each in (_APT, _DNF, _ZYPPER, _PACMAN, _APK)}
"""All that are known, in the order in which they are looked for."""
