"""What is remembered of devices from job to job: a small file of this user's, under a lock.

A device is known by its address and host key: another machine that answers there starts anew,
and machines made from one image, which share a key, are several. What cannot be stored is
remembered until this process ends; no job fails for that. Not responsible for what follows from
anything (``nrunner.duthealth``).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nrunner.duthealth import Happening, Health, Retired, State, after, at
from nrunner.inventory import Dut
from nrunner.record import to_dict
from nrunner.userfolder import user_folder

__all__ = ["DutMemory", "identity_of"]

_FILE_NAME = "duts.json"
_KEPT = 90 * 86400.0
"""Seconds for which a device is remembered of which nothing is heard."""


def identity_of(dut: Dut) -> str:
    """Return what a device is known by: where it is, and its host key."""
    return " ".join((f"{dut.address}:{dut.port}", *dut.host_key.split()[:2]))


class DutMemory:
    """How the devices of this user's inventories are, as far as this machine knows."""

    def __init__(self, folder: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self._folder = folder or user_folder("state")
        self._now = now
        self._own: dict[str, Health] = {}
        """What could not be stored."""

    def health(self, dut: Dut) -> Health:
        """Return how a device is now."""
        return self._shown(dut, self._read())

    def note(self, dut: Dut, happening: Happening) -> Health:
        """Note what has happened to a device; return how it is now."""
        identity = identity_of(dut)
        try:
            with self._locked():
                known = self._read()
                health = after(known.get(identity, Health()), happening, self._now())
                self._write({**known, identity: health}, identity, dut.name)
            self._own.pop(identity, None)
        except OSError:
            health = after(self._read().get(identity, Health()), happening, self._now())
            self._own[identity] = health
        return self._shown(dut, {identity: health})

    def _shown(self, dut: Dut, known: dict[str, Health]) -> Health:
        health = at(known.get(identity_of(dut), Health()), self._now())
        if dut.retired:
            return after(health, Retired(f"{dut.retired} (in its inventory)"), health.since)
        return health

    def _read(self) -> dict[str, Health]:
        return {**_healths(self._content()), **self._own}

    def _content(self) -> dict[str, Any]:
        """Return what the file holds; nothing if there is none, or none of ours."""
        try:
            content = json.loads((self._folder / _FILE_NAME).read_bytes())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _write(self, known: dict[str, Health], changed: str, name: str) -> None:
        before = self._content()
        names = {key: each.get("name", "") for key, each in before.items() if key in known}
        names[changed] = name
        oldest = self._now() - _KEPT
        content = {
            key: {**to_dict(health), "state": health.state.value, "name": names.get(key, "")}
            for key, health in known.items()
            if key == changed or health.state is State.RETIRED or health.since > oldest
        }
        _replace(self._folder / _FILE_NAME, json.dumps(content, indent=1).encode())

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(self._folder / f"{_FILE_NAME}.lock", flags, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)  # held for as long as it takes to write a small file
            yield
        finally:
            os.close(fd)


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there as it was or as it is to be."""
    beside = path.with_name(f"{path.name}.new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    beside.replace(path)


def _healths(content: dict[str, Any]) -> dict[str, Health]:
    found = {}
    for identity, entry in content.items():
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
            found[identity] = Health(
                State(entry["state"]),
                str(entry["reason"]),
                float(entry["since"]),
                float(entry["until"]),
                int(entry["failures"]),
            )
    return found
