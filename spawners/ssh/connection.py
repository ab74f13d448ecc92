"""A connection to one machine: one transport, and over it as many channels as the server lets be.

paramiko blocks, so each call is made in a thread; what is called here is bounded, and can be
cancelled. Not responsible for who the machine is (``login``), nor for what is executed there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from nrunner.errors import LinkError, SpawnError
from nrunner.offload import offload
from nrunner.record import dataclass
from nrunner.spawners.ssh.dial import ATTEMPTS, again, dial
from nrunner.spawners.ssh.host import Host, label
from nrunner.spawners.ssh.hostkey import HostKey
from nrunner.spawners.ssh.login import log_in, shown_key, translated, wanted_key
from nrunner.spawners.ssh.words import shown

if TYPE_CHECKING:
    from paramiko.channel import Channel
    from paramiko.transport import Transport

__all__ = ["Connection", "Output", "ask_host_key", "connect"]

_LOGIN_WITHIN = 15.0
_RUN_WITHIN = 15.0
_MARGIN = 2.0
_CHANNELS = 6
"""How many commands run at once: sshd has ten channels for one connection unless told otherwise,
and one is the agent's."""
_TOO_MANY = (2, 4)
"""How servers refuse a channel that would be one too many: connect failed, resource shortage."""
_PAUSE = 0.02
_PIECE = 1 << 16
_MOST_OUTPUT = 16 << 20

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Output:
    """What came of a command."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def complaint(self) -> str:
        """The last line that it wrote to its standard error, or that there is none."""
        lines = self.stderr.decode("utf-8", "replace").strip().splitlines()
        return shown(lines[-1].strip()) if lines else f"it exited with status {self.status}"


async def connect(
    host: Host, *, attempts: int = ATTEMPTS, within: float = _LOGIN_WITHIN
) -> Connection:
    """Return a connection to a machine, whose host key was verified before anything was sent.

    Raise LinkError if it cannot be reached in several attempts, SpawnError if it, or we, refuse.
    """
    wanted_key(host)

    async def attempt() -> Connection:
        return Connection(host, await _over(await dial(host), log_in, host, within))

    return await again(attempt, attempts)


async def ask_host_key(host: Host, *, within: float = _LOGIN_WITHIN) -> HostKey:
    """Return the key that whoever answers at an address shows; raise LinkError."""
    return await _over(await dial(host), shown_key, host, within)


async def _over(
    sock: socket.socket,
    work: Callable[[socket.socket, Host, float], _T],
    host: Host,
    within: float,
) -> _T:
    """Return what work over a socket returns, in bounded time."""
    try:
        async with asyncio.timeout(within + _MARGIN):
            return await offload(work, sock, host, within)
    except TimeoutError as error:
        _hang_up(sock)
        raise LinkError(f"log in to {label(host)}: no answer within {within:g} s") from error
    except BaseException:
        _hang_up(sock)
        raise


def _hang_up(sock: socket.socket) -> None:
    """Have whoever waits for a socket, in another thread, go on and close it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class Connection:
    """A machine that somebody is logged in to."""

    def __init__(self, host: Host, transport: Transport) -> None:
        self.host = host
        self._transport = transport
        self._free = asyncio.Semaphore(_CHANNELS)

    @property
    def is_alive(self) -> bool:
        """Whether nobody has noticed yet that it is lost."""
        return bool(self._transport.is_active())

    async def run(
        self,
        what: str,
        command: str,
        *,
        data: bytes = b"",
        within: float = _RUN_WITHIN,
        most: int = _MOST_OUTPUT,
    ) -> Output:
        """Have the user's shell there run a command; return what came of it.

        It is sent `data`, and no end of file: it must know how much that is. Raise LinkError, or
        SpawnError that says `what` could not be done.
        """
        async with self._free:
            call = _Call(self._transport, f"{what} on {label(self.host)}", command, data, most)
            try:
                async with asyncio.timeout(within):
                    return await offload(call.make, within)
            except TimeoutError as error:
                call.give_up()
                raise SpawnError(f"{call.what}: no end of it within {within:g} s") from error
            except asyncio.CancelledError:
                call.give_up()
                raise

    async def channel(self, what: str, command: str, within: float = _RUN_WITHIN) -> Channel:
        """Have a command run, and return the channel to its standard streams; raise LinkError."""
        call = _Call(self._transport, f"{what} on {label(self.host)}", command)
        try:
            async with asyncio.timeout(within):
                return await offload(call.open, within)
        except TimeoutError as error:
            call.give_up()
            raise LinkError(f"{call.what}: no answer within {within:g} s") from error
        except BaseException:
            call.give_up()
            raise

    async def close(self) -> None:
        """Hang up; what runs there goes on."""
        self.abort()
        await offload(self._transport.close)

    def abort(self) -> None:
        """Hang up at once, without a word."""
        sock = self._transport.sock
        if isinstance(sock, socket.socket):
            _hang_up(sock)


class _Call:
    """One command, run in a thread; whoever waits for it may lose interest."""

    def __init__(
        self, transport: Transport, what: str, command: str, data: bytes = b"", most: int = 0
    ) -> None:
        self.what = what
        self._transport = transport
        self._command = command
        self._data = data
        self._most = most
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._is_wanted = True

    def open(self, within: float) -> Channel:
        """Open a channel and have the command run; raise LinkError."""
        with translated(self.what):
            channel = self._session(time.monotonic() + within)
            with self._lock:
                self._channel = channel
                is_wanted = self._is_wanted
            if not is_wanted:
                channel.close()
                raise LinkError(f"{self.what}: nobody wants it any more")
            channel.exec_command(self._command)
        return channel

    def _session(self, deadline: float) -> Channel:
        """Return a channel, once there is one: the server may not have cleared away others yet."""
        from paramiko.ssh_exception import ChannelException

        while True:
            left = deadline - time.monotonic()
            try:
                return self._transport.open_session(timeout=max(_PAUSE, left))
            except ChannelException as error:
                if error.code not in _TOO_MANY or left < 0 or not self._is_wanted:
                    raise
            time.sleep(_PAUSE)

    def make(self, within: float) -> Output:
        """Return what came of the command; raise LinkError or SpawnError."""
        deadline = time.monotonic() + within
        channel = self.open(within)
        try:
            with translated(self.what):
                channel.settimeout(within)
                channel.sendall(self._data)
                stdout = self._read(channel.recv, channel, deadline)
                stderr = self._read(channel.recv_stderr, channel, deadline)
                status = channel.recv_exit_status()
        finally:
            # Never an end of file alone: a server that has forgotten the channel hangs up on all.
            channel.close()
        if status < 0 and not self._transport.is_active():
            raise LinkError(f"{self.what}: the connection was lost")
        return Output(status, stdout, stderr)

    def give_up(self) -> None:
        """Close the channel, which ends whoever waits for it; that may wait for the link."""
        with self._lock:
            self._is_wanted = False
            channel = self._channel
        if channel is not None:
            threading.Thread(target=_closed, args=(channel,), daemon=True).start()

    def _read(self, receive: Callable[[int], bytes], channel: Channel, deadline: float) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            channel.settimeout(max(0.01, deadline - time.monotonic()))
            piece = receive(_PIECE)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
            if size > self._most:
                raise SpawnError(f"{self.what}: it writes more than {self._most} bytes")


def _closed(channel: Channel) -> None:
    with contextlib.suppress(Exception):  # nobody is left to be told
        channel.close()
