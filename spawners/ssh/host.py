"""A machine as its inventory describes it: what it takes to reach it, and what it is called.

Not responsible for reading the inventory, nor for reaching anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

__all__ = ["Host", "label"]


class Host(Protocol):
    """What has to be known of a machine before it can be reached."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def address(self) -> str:
        """Its name or address in the network."""
        ...

    @property
    def port(self) -> int:
        """Where its SSH server listens."""
        ...

    @property
    def user(self) -> str:
        """Who logs in there."""
        ...

    @property
    def key(self) -> Path | None:
        """The file with the private key of that user."""
        ...

    @property
    def uses_agent(self) -> bool:
        """Whether an SSH agent is asked for keys."""
        ...

    @property
    def host_key(self) -> str:
        """Its public key, ``ssh-ed25519 AAAA...``."""
        ...


def label(host: Host) -> str:
    """Return what errors call it: its name, and where it was looked for."""
    address = f"[{host.address}]" if ":" in host.address else host.address
    port = "" if host.port == 22 else f":{host.port}"
    return f"{host.name} ({host.user}@{address}{port})"
