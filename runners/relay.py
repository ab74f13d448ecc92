"""Carrying bytes between standard streams, which are an SSH channel, and an agent's socket.

First it says, in a line, whether the agent is there and which boot of the machine this is. When
the agent hangs up, standard output is closed at once; then it stays until the agent has ended, and
its exit status says whether it has. Not responsible for what the bytes mean.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import select
import socket

from nrunner.runners.dut import say
from nrunner.runners.procfs import boot_id

__all__ = ["ENDED", "HUNG_UP", "LIVES", "VANISHED", "relay"]

HUNG_UP = 0
"""Exit status: the controller's side was closed."""
ENDED = 10
"""Exit status: the agent has ended."""
LIVES = 11
"""Exit status: the agent hung up, and goes on."""
VANISHED = 12
"""Exit status: the agent has ended, and its folder is gone."""
_PIECE = 1 << 16
_MOST = 1 << 20
"""Bytes that are kept for one side while it does not take them."""
_LEAVE_WITHIN = 10.0


def relay(folder: str) -> int:
    """Carry bytes until one side is closed; return the exit status."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(f"{folder}/socket")
    except OSError as error:
        from nrunner.runners.departure import look

        found, _ = look(folder)
        say({"ok": False, "why": error.strerror, **found})
        return ENDED if not found["alive"] else LIVES
    # For a controller that takes over: the login that asks for it could read it anyway.
    say({"ok": True, "boot_id": boot_id(), "token": _token(folder)})
    if not _carry(sock):
        return HUNG_UP
    from nrunner.runners.departure import Witness

    # Who reads hears at once that nothing follows.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sock.close()
    if not Witness(folder).wait(_LEAVE_WITHIN, 0):
        return LIVES
    return ENDED if os.path.lexists(folder) else VANISHED


def _token(folder: str) -> str:
    try:
        with open(f"{folder}/token", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


class _Way:
    """One direction: what was read and is not written yet."""

    def __init__(self, source: int, target: int) -> None:
        self.source = source
        self.target = target
        self.data = b""

    def read(self) -> bool:
        """Take what is there; return whether the source goes on."""
        piece = os.read(self.source, _PIECE)
        self.data += piece
        return bool(piece)

    def write(self) -> None:
        """Give as much as is taken."""
        try:
            self.data = self.data[os.write(self.target, self.data) :]
        except BlockingIOError:
            pass


def _carry(sock: socket.socket) -> bool:
    """Carry bytes both ways; return whether it was the agent who hung up."""
    agent = sock.fileno()
    there, back = _Way(0, agent), _Way(agent, 1)
    for fd in (0, 1, agent):
        os.set_blocking(fd, False)
    poll = select.poll()
    while True:
        for fd, wanted in _wanted(there, back).items():
            poll.register(fd, wanted)
        for fd, event in poll.poll():
            try:
                goes_on = _serve(fd, event, there, back)
            except BlockingIOError:
                goes_on = True
            except OSError:
                goes_on = False
            if not goes_on:
                if fd == agent:
                    _flush(back)
                return fd == agent


def _serve(fd: int, event: int, there: _Way, back: _Way) -> bool:
    """Do what can be done with a file; return whether it goes on. Raise OSError."""
    if event & select.POLLOUT:
        (there if fd == there.target else back).write()
    if not event & ~select.POLLOUT:
        return True
    if fd == back.target:
        return False  # nobody reads any more
    way = there if fd == there.source else back
    return len(way.data) >= _MOST or way.read()


def _wanted(there: _Way, back: _Way) -> dict[int, int]:
    """Return what is waited for: room where something is kept, more where there is room."""
    wanted = dict.fromkeys((there.source, there.target, back.target), 0)
    for way in (there, back):
        if len(way.data) < _MOST:
            wanted[way.source] |= select.POLLIN
        if way.data:
            wanted[way.target] |= select.POLLOUT
    return wanted


def _flush(way: _Way) -> None:
    """Write the rest, if somebody takes it."""
    os.set_blocking(way.target, True)
    try:
        while way.data:
            way.write()
    except OSError:
        pass
