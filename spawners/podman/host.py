"""What podman can do on this machine, and what follows for who is who inside.

Not responsible for asking it (``client``).
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from nrunner.errors import SpawnError
from nrunner.record import dataclass

__all__ = ["PodmanHost", "own_ulimits"]

_PID_MAX = Path("/proc/sys/kernel/pid_max")
# What podman asks for by itself.
_WISHES = (("nofile", resource.RLIMIT_NOFILE, 1 << 20), ("nproc", resource.RLIMIT_NPROC, 1 << 22))


@dataclass(frozen=True, slots=True)
class PodmanHost:
    """What podman says of itself."""

    is_rootless: bool
    runtime: str
    """Name of the OCI runtime."""

    @classmethod
    def from_info(cls, info: Any) -> PodmanHost:
        """Read the answer to ``podman info``; raise SpawnError."""
        try:
            host: Mapping[str, Any] = info["host"]
            return cls(
                bool(host["security"]["rootless"]),
                PurePath(host["ociRuntime"]["name"]).name,
            )
        except (KeyError, TypeError) as error:
            raise SpawnError(f"learn what podman can do: it does not tell {error}") from error

    def gives_own_users(self, asked: str) -> bool:
        """Whether containers are to have users of their own, which podman's own choice is not.

        Without the rights of root podman sees to that anyway. crun shows files of the host to the
        right users then; runc learnt it later, and does not keep the limits of control groups of
        version 1 in a namespace of users.
        """
        return not self.is_rootless and asked != "host" and (asked != "auto" or self._is_able)

    @property
    def _is_able(self) -> bool:
        return self.runtime == "crun"

    def agent_user(self) -> str:
        """Return who an agent has to be inside so that what it writes is ours."""
        return "0:0" if self.is_rootless else f"{os.geteuid()}:{os.getegid()}"


def own_ulimits() -> dict[str, int]:
    """Return those limits of ours that podman would go beyond, which it may not be allowed to.

    podman takes as many processes for itself as there can be pids, and can give no more after that.
    """
    hard = {name: resource.getrlimit(kind)[1] for name, kind, _ in _WISHES}
    limits = {name: hard[name] for name in hard if hard[name] != resource.RLIM_INFINITY}
    if "nproc" in limits:
        limits["nproc"] = min(limits["nproc"], _most_pids())
    return {name: limits[name] for name, _, most in _WISHES if limits.get(name, most) < most}


def _most_pids() -> int:
    try:
        return int(_PID_MAX.read_text())
    except (OSError, ValueError):
        return sys.maxsize
