"""What people can say about containers, typed, from a job's configuration.

Not responsible for what the settings are called or how their values are read from files and flags
(``nrunner.config``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrunner.record import dataclass

__all__ = ["DEFAULT_IMAGE", "Limits", "Room", "Settings"]

DEFAULT_IMAGE = "python:3-slim"
_LIMITS = ("memory", "cpus", "pids", "disk")
_LAYERS_SIZE = 20 << 30
_LAYERS_AGE = 30 * 86400.0
_TEXTS = ("image", "socket", "runtime", "pull", "network", "prepare_network", "userns", "reuse")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one container may use; None for as much as podman allows by itself."""

    memory: int | None = None
    """Bytes, swap included."""
    cpus: float | None = None
    pids: int | None = None
    disk: int | None = None
    """Bytes in ``/tmp``; then nothing else of its own file system may be written."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much of what was prepared may be kept; None for no limit."""

    size: int | None = _LAYERS_SIZE
    age: float | None = _LAYERS_AGE
    """Seconds since it was last used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the spawner."""

    image: str = DEFAULT_IMAGE
    socket: str = ""
    """The socket of a podman service, empty to look for one."""
    runtime: str = ""
    """The OCI runtime of a service that is started for the job, empty for what works here."""
    pull: str = "missing"
    """Whether images that are not there are fetched: ``missing`` or ``never``."""
    network: str = "none"
    """What tasks are connected to."""
    prepare_network: str = "private"
    """What the container is connected to in which requirements are fulfilled."""
    userns: str = "auto"
    """``host``, ``private``, or ``auto`` for a namespace wherever podman can make a useful one."""
    mounts: tuple[str, ...] = ()
    """Folders and files, beside the job's own, that are seen inside, read-only."""
    reuse: str = "task"
    """How long a container is used: for a ``task``, a ``suite`` or the ``job``."""
    limits: Limits = Limits()
    room: Room = Room()
    """How much of what was prepared is kept."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings of a job; what is not in there has its default."""
        known = {name: config[f"podman.{name}"] for name in _TEXTS if config.get(f"podman.{name}")}
        limits = Limits(*(config.get(f"podman.{name}") for name in _LIMITS))
        room = Room(
            config.get("cache.layers_size", _LAYERS_SIZE),
            config.get("cache.layers_age", _LAYERS_AGE),
        )
        mounts = tuple(config.get("podman.mounts", ()))
        return cls(**known, mounts=mounts, limits=limits, room=room)
