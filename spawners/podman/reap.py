"""Containers that nobody will come for, and their removal.

A container is ours if it has our marks. It is somebody's for as long as the process that had it
made lives, and for as long as it runs: its agent may be waiting for another controller, and ends
by itself if none comes. Not responsible for containers that are in use.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from nrunner.errors import SpawnError
from nrunner.record import dataclass
from nrunner.runners.procfs import boot_id, read_process
from nrunner.spawners.podman.client import Client
from nrunner.spawners.podman.container import MARKS

__all__ = ["Leftover", "is_abandoned", "leftovers", "own_controller", "reap"]

_ENDED = frozenset(("configured", "created", "dead", "exited", "initialized", "stopped"))


@dataclass(frozen=True, slots=True)
class Leftover:
    """A container of ours, as a list of podman's tells of it."""

    container: str
    name: str
    job: str
    boot: str
    controller: str
    is_running: bool


def own_controller() -> str:
    """Return what marks containers as made for this process."""
    process = read_process(os.getpid())
    return f"{os.getpid()}:{process.start if process is not None else 0}"


def leftovers(listed: Iterable[Mapping[str, Any]]) -> list[Leftover]:
    """Return those of our marks; whoever lacks one of them is not ours."""
    found = []
    for each in listed:
        labels = each.get("Labels") or {}
        if all(labels.get(mark) for mark in MARKS):
            job, boot, controller = (labels[mark] for mark in MARKS)
            name = str((each.get("Names") or [""])[0])
            found.append(Leftover(str(each["Id"]), name, job, boot, controller, _runs(each)))
    return found


def _runs(listed: Mapping[str, Any]) -> bool:
    """Whether a container may run; podman learns of an end a little later than the kernel."""
    if str(listed.get("State", "")).lower() in _ENDED:
        return False
    process = read_process(pid) if isinstance(pid := listed.get("Pid"), int) else None
    return "Pid" not in listed or (process is not None and process.is_alive)


def is_abandoned(each: Leftover, *, own: str = "", with_running: bool = False) -> bool:
    """Whether nobody will come for a container.

    Those of `own`, a controller that knows what it does, are abandoned once they have ended. What
    runs counts only if it is asked for.
    """
    if each.controller == own and each.boot == boot_id():
        return not each.is_running
    if each.boot == boot_id() and _lives(each.controller):
        return False
    return with_running or not each.is_running


async def reap(
    client: Client,
    own: str = "",
    *,
    job: str = "",
    with_running: bool = False,
    keep: Iterable[str] = (),
) -> list[Leftover]:
    """Remove what nobody will come for, of one job or of all; return it. Raise SpawnError.

    `keep` are containers that are somebody's all the same.
    """
    labels = [f"nrunner.job={job}" if job else "nrunner.job"]
    found = leftovers(await client.containers(*labels))
    kept = frozenset(keep)
    removed = []
    for each in found:
        wanted = each.container in kept
        if not wanted and is_abandoned(each, own=own, with_running=with_running):
            # Another nrunner may be removing it as well.
            with contextlib.suppress(SpawnError):
                await client.remove(each.container)
                removed.append(each)
    return removed


def _lives(controller: str) -> bool:
    pid, _, start = controller.partition(":")
    if not (pid.isdigit() and start.isdigit()):
        return False
    process = read_process(int(pid))
    return process is not None and process.is_alive and process.start == int(start)
