"""The folder of a job's sockets, which is that of no other job while its controller lives.

Its name is the beginning of the job's id, and with ids that are asked for, two jobs may have that
in common. Not responsible for where such folders are (``nrunner.layout``), nor for those that
nobody wants any more (``nrunner.leftover``).
"""

from __future__ import annotations

import os
from pathlib import Path

from nrunner.errors import ResultsError, UsageError
from nrunner.layout import runtime_folder
from nrunner.runners.flock import is_at, lock
from nrunner.runners.removal import remove_tree

__all__ = ["SocketFolder"]

_ENDING = 0.2
"""Seconds that a process which was killed may go on having what it held; it takes milliseconds."""


class SocketFolder:
    """A folder for sockets, held by this process."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def take(cls, job_id: str, *, again: bool = False) -> SocketFolder:
        """Make it, or take what a dead job left; raise UsageError if it is another job's.

        With `again` the job is gone on with: what is in the folder is its own, and stays. Raise
        ResultsError if there can be none.
        """
        folder = cls._held(job_id)
        if not again:
            try:
                folder.clear(job_id)
            except BaseException:
                folder.release()
                raise
        return folder

    @classmethod
    def _held(cls, job_id: str) -> SocketFolder:
        """Return it locked; one that a job removes meanwhile, as it ends, is made anew."""
        while True:
            path = runtime_folder(job_id)
            try:
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ResultsError(f"open {path}: {error.strerror}") from error
            if not lock(fd, _ENDING):
                os.close(fd)
                raise UsageError(f"use the job id {job_id}: another job that runs has {path}")
            if is_at(fd, str(path)):
                return cls(path, fd)
            os.close(fd)

    def clear(self, job_id: str) -> None:
        """Remove what a dead job left; raise UsageError if its agents are not dead."""
        left = list(self.path.iterdir())
        if not left:
            return
        from nrunner.leftover import is_alive  # hardly ever

        if is_alive(self.path):
            raise UsageError(
                f"use the job id {job_id}: {self.path} holds the sockets of agents that live on"
            )
        for each in left:
            remove_tree(str(each))

    def release(self) -> None:
        """Leave it to whoever goes on with the job."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Remove it with all in it, unless it is left to others already."""
        if self._fd >= 0:
            remove_tree(str(self.path))
            self.release()
