"""What earlier jobs left in the folder for sockets: removed once nobody can want it any more.

A controller that is killed, and whose job nobody goes on with, leaves sockets behind. Not
responsible for the jobs' own folders, which are their users'.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from nrunner.runners.removal import remove_tree

__all__ = ["OLD", "is_alive", "remove_old"]

OLD = 86400.0
"""Seconds after which a folder in which nobody listens is nobody's."""


def remove_old(parent: Path, now: float) -> list[Path]:
    """Remove the folders of jobs below `parent` that are old and dead; return them.

    `now` is in seconds since the epoch.
    """
    old = [path for path in _folders(parent, now - OLD) if not is_alive(path)]
    for path in old:
        remove_tree(str(path))
    return old


def _folders(parent: Path, before: float) -> Iterator[Path]:
    """Yield the folders that have not changed since, other people's aside."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
                if own and status.st_mtime < before:
                    yield Path(entry.path)


def is_alive(folder: Path) -> bool:
    """Whether anybody listens on a socket in there; what cannot be asked counts as alive."""
    try:
        sockets = [path for path in folder.rglob("*") if path.is_socket()]
    except OSError:
        return True
    return any(_answers(path) for path in sockets)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # it is busy
    return True
