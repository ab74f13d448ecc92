"""Locks on files that end with their process, however it ends.

Not responsible for what a lock means. Nobody waits without a bound.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from nrunner.errors import CacheError

__all__ = ["is_at", "is_held", "lock"]

_PAUSE = 0.02
"""Seconds between two looks at a lock that somebody else has."""


def lock(fd: int, patience: float = 0.0, *, shared: bool = False) -> bool:
    """Lock an open file; return whether that could be done within `patience` seconds."""
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, how)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                reason = (error.strerror or str(error)).lower()
                raise CacheError(f"lock a file of the cache: {reason}") from error
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
        else:
            return True


def is_at(fd: int, path: str) -> bool:
    """Whether a path still leads to the file that is open."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False


def is_held(path: str) -> bool:
    """Whether anybody has a lock on a file."""
    try:
        # For NFS, which gives a lock of one's own only to those who may write.
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not lock(fd)
    finally:
        os.close(fd)
