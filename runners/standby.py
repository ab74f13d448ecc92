"""Requests that wait in a zygote until the test before them has ended, to be forked at once.

The way to the agent and back takes as long as a short test, and a processor has nothing to do
meanwhile. A request goes on by itself only if the test before it has left no process behind: the
agent, to which such processes fall, has no children that it had not when that test began. Otherwise
the agent, which ends them first, says when. Not responsible for which requests wait
(``nrunner.runners.nursery``). Imported by zygotes, so it imports nothing itself.
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    Due = tuple[dict[str, Any], list[int]]
    """A request with its open files."""

__all__ = ["Standby"]

_WHOLE = 4096
"""Bytes of a list of children; who has more is not asked."""


class Standby:
    """What waits, and what is known of those before."""

    def __init__(self, agent: int) -> None:
        """`agent` is the process to which fall those that tests leave behind."""
        self.running = 0
        """How many children there are that were counted, and have not ended."""
        self._waiting: Optional[Due] = None
        self._before = b""
        """The agent's children as the first of those was forked; empty if that cannot be told."""
        path = f"/proc/{agent}/task/{agent}/children"
        try:
            self._list = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._file = os.fstat(self._list).st_ino
        except OSError:
            self._list = self._file = -1

    def hold(self, due: Due) -> None:
        """Have a request wait, with its open files."""
        self._waiting = due

    def take(self) -> Optional[Due]:
        """Take out the request that waits, if there is one."""
        found, self._waiting = self._waiting, None
        return found

    def count(self) -> None:
        """Count a child that is forked now; to be called before that, which makes it cheaper."""
        if not self.running:
            self._before = self._before or self._children()
        self.running += 1

    def ended(self) -> None:
        """Note that a child has ended that was counted."""
        self.running -= 1

    def follower(self, *, may_go: bool = True) -> Optional[Due]:
        """Take out the request that waits, if those that have ended have left nothing behind."""
        if may_go and self._waiting is not None and self._is_clean():
            return self.take()
        if not self.running:
            self._before = b""
        return None

    def _is_clean(self) -> bool:
        if not self._before:
            return False
        now = self._children()
        return now == self._before or bool(now and set(now.split()) <= set(self._before.split()))

    def _children(self) -> bytes:
        try:
            text = os.pread(self._list, _WHOLE, 0)
        except OSError:
            return b""
        return text if len(text) < _WHOLE else b""

    def clear(self) -> None:
        """Let go of what is another zygote's."""
        self.running, self._before = 0, b""
        if self._waiting is not None:
            for number in self._waiting[1]:
                os.close(number)
            self._waiting = None

    def close(self) -> None:
        """Let go of everything, in a fork that is a test."""
        self.clear()
        try:
            if os.fstat(self._list).st_ino == self._file:
                os.close(self._list)
        except OSError:
            return  # there is none, or a module has closed it
