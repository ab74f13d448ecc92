"""Sockets to listen on, closed to everyone but their owner from the first moment.

Not responsible for what is spoken over them.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path

from nrunner.errors import NrunnerError, UsageError
from nrunner.record import dataclass, field

__all__ = ["TcpOptions", "is_allowed_peer", "listen_tcp", "listen_unix", "make_private_folder"]

_BACKLOG = 1024
_LONGEST_PATH = 107
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """Where to listen on TCP, and the token that peers have to show."""

    token: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    """0: any free port."""


def make_private_folder(folder: Path) -> None:
    """Make a folder that only we can enter, or see to it that an existing one is so."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            folder.chmod(0o700)
            return
    except OSError as error:
        raise NrunnerError(f"make the folder for sockets {folder}: {error.strerror}") from error
    raise NrunnerError(f"use {folder} for sockets: it is no folder of our own")


def listen_unix(path: Path) -> socket.socket:
    """Return a non-blocking socket that listens at `path`, with mode 0600."""
    size = len(os.fsencode(path))
    if size > _LONGEST_PATH:
        raise NrunnerError(
            f"listen on {path}: the path has {size} bytes, a socket's may have {_LONGEST_PATH}"
        )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()
        # The mode of the descriptor is what bind() gives the file, less the umask: no moment open.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(os.fspath(path))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise NrunnerError(f"listen on {path}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def listen_tcp(options: TcpOptions, *, loopback_only: bool) -> socket.socket:
    """Return a non-blocking socket that listens where `options` say."""
    if not options.token:
        raise UsageError(f"listen on {options.host}: TCP needs a token")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if loopback_only and not _is_loopback(str(address[0])):
            raise UsageError(
                f"offer the control API on {options.host}: only on 127.0.0.1, ::1 or localhost"
            )
        listener = socket.create_server((address[0], address[1]), family=family, backlog=_BACKLOG)
    except OSError as error:
        # The error's own text repeats the address.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        raise NrunnerError(f"listen on {options.host}:{options.port}: {reason}") from error
    listener.setblocking(False)
    return listener


def is_allowed_peer(peer: socket.socket) -> bool:
    """Whether the process at the other end of a unix socket is ours (or root's)."""
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(data)
    return uid in (os.geteuid(), 0)


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
