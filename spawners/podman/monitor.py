"""Podman's monitor of a container, conmon: the parent of its first process.

It is known by its command line, which names the container. A podman service of our own starts
monitors that end with their container: usually each starts one more podman to tidy up, which takes
a third of the time of a short test, and then we remove the container anyway. Not responsible for
the first process (``life``).
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from nrunner.record import dataclass
from nrunner.runners.procfs import read_process

__all__ = ["Monitor", "monitor_of", "own_conmon"]

# Where podman looks, in its order (containers.conf(5), conmon_path).
_FOLDERS = (
    *("/usr/libexec/podman", "/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/bin"),
    *("/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/run/current-system/sw/bin"),
)
_SETTINGS = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
_OWN_NAME = "conmon"
_OWN = """#!/bin/sh
# The words that tell podman's monitor what to start once its container has ended are left out.
left=$#
while [ "$left" -gt 0 ]; do
    case $1 in
    --exit-command | --exit-command-arg)
        shift
        left=$((left - 1))
        ;;
    *) set -- "$@" "$1" ;;
    esac
    shift
    left=$((left - 1))
done
exec {conmon} "$@"
"""


@dataclass(frozen=True, slots=True)
class Monitor:
    """One that was found."""

    pid: int
    start: int

    @property
    def is_alive(self) -> bool:
        """Whether it is still there."""
        process = read_process(self.pid)
        return process is not None and process.is_alive and process.start == self.start

    def open(self) -> int | None:
        """Return a pidfd of it, to be closed; None if it has ended."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except OSError:
            return None
        if self.is_alive:  # else the number may be a stranger's by now
            return pidfd
        os.close(pidfd)
        return None

    async def wait_gone(self, within: float) -> None:
        """Wait for its end, no longer than `within` seconds."""
        pidfd = self.open()
        if pidfd is None:
            return
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(pidfd, gone.set)
        try:
            async with asyncio.timeout(within):
                await gone.wait()
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)


def monitor_of(container: str, pid: int) -> Monitor | None:
    """Return the monitor if it is the parent of process `pid`, and that of this container."""
    process = read_process(pid)
    parent = read_process(process.parent) if process is not None else None
    if parent is None:
        return None
    try:
        words = Path(f"/proc/{parent.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return Monitor(parent.pid, parent.start) if container.encode() in words else None


def own_conmon(
    folder: Path, environ: Mapping[str, str], folders: Iterable[str] = _FOLDERS
) -> Path | None:
    """Write the conmon that our own podman service starts; return None for podman's own choice.

    That is the case where somebody chose one, where none is found, and where `folder` is on a file
    system from which nothing is executed. Raise OSError.
    """
    found = next((path for each in folders if os.access(path := f"{each}/conmon", os.X_OK)), None)
    if found is None or _is_chosen(environ):
        return None
    own = folder / _OWN_NAME
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700), "w") as file:
        file.write(_OWN.format(conmon=shlex.quote(found)))
    return own if os.access(own, os.X_OK) else None


def _is_chosen(environ: Mapping[str, str]) -> bool:
    """Whether a file of podman's settings names a conmon."""
    home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    named = (environ.get("CONTAINERS_CONF"), environ.get("CONTAINERS_CONF_OVERRIDE"))
    paths = [*_SETTINGS, f"{home}/containers/containers.conf", *filter(None, named)]
    return any(_names_conmon(path) for path in paths)


def _names_conmon(path: str) -> bool:
    try:
        lines = Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.strip().startswith("conmon_path") for line in lines)
