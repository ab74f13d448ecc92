"""What a container is made with: isolation, limits, mounts, labels and the command of its agent.

Pure: returns what podman is asked for. Not responsible for asking (``client``), nor for what
becomes of the container (``handle``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.errors import SpawnError
from nrunner.record import dataclass, field
from nrunner.spawners.podman.agent import AGENT_FOLDER, AgentSort
from nrunner.spawners.podman.settings import Limits

__all__ = [
    "MARKS",
    "Identity",
    "Plan",
    "container_name",
    "labels_of",
    "specification",
]

MARKS = ("nrunner.job", "nrunner.boot", "nrunner.controller")
"""Labels that say whose a container is."""
_OWN_USERS = {"container_id": 0, "host_id": 0x4E520000, "size": 1 << 16}
"""Who those inside are outside, where podman runs as root: nobody. It is in the range that systemd
keeps for containers."""
_SHM = "64m"
_RUN = "16m"
_PERIOD = 100_000
"""Microseconds in which a container gets its share of the processors."""
_SYSTEM = frozenset(
    ("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys")
) | frozenset(("/usr", "/var"))


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose containers they are."""

    job: str
    boot: str
    controller: str
    """Pid and start time of the process that has them made."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided about a container before it is made."""

    name: str
    image: str
    agent: AgentSort
    archive: Path
    """The agent's file."""
    agent_folder: Path
    identity: Identity
    network: str
    limits: Limits
    writable: tuple[str, ...] = ()
    """What is seen inside under the same path, and may be changed."""
    readable: tuple[str, ...] = ()
    """The same, read-only."""
    slots: int = 1
    """How many attempts at most run in it at once."""
    user: str = "0:0"
    """Who the agent is inside: user and group."""
    has_own_users: bool = False
    """Whether those inside are others outside, root above all."""
    may_administer: bool = False
    """Whether root inside may do more than nothing: to install packages, say."""
    ulimits: Mapping[str, int] = field(default_factory=dict)


def container_name(job: str, number: int, controller: str) -> str:
    """Return a name for a container that nobody else gives."""
    pid = controller.partition(":")[0]
    return f"nrunner-{re.sub('[^A-Za-z0-9_.-]', '-', job)[:80]}-{pid}-{number}"


def labels_of(identity: Identity) -> dict[str, str]:
    """Return the marks by which containers are found again."""
    return dict(zip(MARKS, (identity.job, identity.boot, identity.controller), strict=True))


def specification(plan: Plan) -> dict[str, Any]:
    """Return what podman makes the container from; raise SpawnError for mounts that cannot be."""
    binds = _binds(plan)
    asked: dict[str, Any] = {
        "name": plan.name,
        "image": plan.image,
        "labels": labels_of(plan.identity),
        "entrypoint": [],
        "command": plan.agent.command(plan.slots),
        "user": plan.user,
        "work_dir": "/",
        "netns": _network(plan.network),
        # Shared memory is a mount of the container's own: podman's is one on the host.
        "ipcns": {"nsmode": "none"},
        "no_new_privileges": True,
        # The user's own folders are mounted, and must not be given other labels for that.
        "selinux_opts": ["disable"],
        "log_configuration": {"driver": "none"},
        "mounts": [*binds, *_memory_mounts(binds, plan.limits.disk)],
        "resource_limits": _resources(plan.limits),
        "r_limits": [
            {"type": name, "soft": most, "hard": most} for name, most in plan.ulimits.items()
        ],
        "image_volume_mode": "ignore",
        "restart_policy": "no",
        "remove": False,
    }
    if not plan.may_administer:
        asked["cap_drop"] = ["all"]
    if plan.limits.disk is not None:
        # Podman can limit what is written to an image on few file systems (XFS with quotas for
        # projects): in memory that is possible everywhere.
        asked["read_only_filesystem"] = True
    if plan.has_own_users:
        # Else its input is the machine's own /dev/null, which crun gives to root of the container.
        asked["stdin"] = True
        asked["userns"] = {"nsmode": "private"}
        asked["idmappings"] = {"UIDMap": [_OWN_USERS], "GIDMap": [_OWN_USERS]}
        # Files belong to the same numbers inside and outside, though users do not.
        for mount in binds:
            mount["options"].append("idmap")
    return {key: value for key, value in asked.items() if value not in ([], {})} | {
        "entrypoint": []
    }


def _network(name: str) -> dict[str, Any]:
    if name in ("none", "private"):
        return {"nsmode": name}
    raise SpawnError(f"connect a container to network {name!r}: expected none or private")


def _resources(limits: Limits) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if limits.memory is not None:
        # As much with swap as without: no swap.
        asked["memory"] = {"limit": limits.memory, "swap": limits.memory}
    if limits.cpus is not None:
        asked["cpu"] = {"quota": round(limits.cpus * _PERIOD), "period": _PERIOD}
    if limits.pids is not None:
        asked["pids"] = {"limit": limits.pids}
    return asked


def _binds(plan: Plan) -> list[dict[str, Any]]:
    binds = [
        _bind(str(plan.archive), plan.agent.inside, "ro"),
        _bind(str(plan.agent_folder), AGENT_FOLDER, "rw"),
    ]
    writable = _distinct(plan.writable)
    readable = [path for path in _distinct(plan.readable) if path not in writable]
    for path in (*readable, *writable):
        if path in _SYSTEM:
            raise SpawnError(
                f"show {path} to a container: it has a {path} of its own (run the tests from"
                " another folder)"
            )
    binds += [_bind(path, path, "ro") for path in readable]
    binds += [_bind(path, path, "rw") for path in writable]
    return binds


def _memory_mounts(binds: Sequence[Mapping[str, Any]], disk: int | None) -> list[dict[str, Any]]:
    """Return the folders that are in memory; a folder of the user's comes before ours."""
    taken = {bind["destination"] for bind in binds}
    mounts = [_tmpfs("/dev/shm", "mode=1777", f"size={_SHM}")]
    if disk is not None:
        mounts.append(_tmpfs("/run", "mode=755", f"size={_RUN}"))
    bound = () if disk is None else (f"size={disk}",)
    return mounts if "/tmp" in taken else [*mounts, _tmpfs("/tmp", "mode=1777", *bound)]


def _distinct(paths: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(os.path.normpath(path) for path in paths if path))


def _bind(source: str, destination: str, access: str) -> dict[str, Any]:
    options = ["rbind", access, "nosuid", "nodev", "rprivate"]
    return {"type": "bind", "source": source, "destination": destination, "options": options}


def _tmpfs(destination: str, *more: str) -> dict[str, Any]:
    options = ["rw", "nosuid", "nodev", *more]
    return {"type": "tmpfs", "source": "tmpfs", "destination": destination, "options": options}
