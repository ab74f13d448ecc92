"""A socket that listens, on the loop: lets one peer in at a time, and rests where that fails.

Not responsible for who may come in, nor for what is said then.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from nrunner.runners.loop import Loop

__all__ = ["Door"]

_RECOVERY = 1.0
"""Seconds until peers are let in again after that failed, for want of descriptors say."""


class Door:
    """Hands each peer, as a non-blocking socket, to `admit`."""

    def __init__(
        self, loop: Loop, listener: socket.socket, admit: Callable[[socket.socket], None]
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._admit = admit
        self._is_watched = False
        listener.setblocking(False)
        self._watch()

    def accept(self) -> bool:
        """Let in the next one who waits; return whether there was one."""
        if not self._is_watched:
            return False
        try:
            peer, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError:  # the peer goes on waiting, and would wake us for nothing
            self._unwatch()
            self._loop.after(_RECOVERY, self._watch)
            return False
        peer.setblocking(False)
        self._admit(peer)
        return True

    def close(self) -> None:
        """Listen no more."""
        self._unwatch()
        self._listener.close()

    def _watch(self) -> None:
        if self._listener.fileno() >= 0:
            self._is_watched = True
            self._loop.watch(self._listener.fileno(), self.accept)

    def _unwatch(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.unwatch(self._listener.fileno())
