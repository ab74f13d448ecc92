"""What podman can do on this machine, and what follows for who is who inside.

Not responsible for asking it (``client``).
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from nrunner.errors import SpawnError
from nrunner.record import dataclass

__all__ = ["PodmanHost", "own_ulimits"]

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
    """Return those limits of ours that podman would go beyond, which it may not be allowed to."""
    limits = {name: (resource.getrlimit(kind)[1], most) for name, kind, most in _WISHES}
    return {
        name: hard
        for name, (hard, most) in limits.items()
        if hard != resource.RLIM_INFINITY and hard < most
    }
