"""The collector: streams of status messages in, batches of accepted messages out.

A thin shell of sockets around ``peer`` and ``line`` (cutting) and ``intake`` (checking). No peer
can raise an error here or make it hold more than its budget. Not responsible for what messages
mean.

All its sockets are in an epoll of its own, and the event loop watches only that. The kernel names
ready peers in rotation, so one at a time can be served until the turn is over; what the others
sent stays in the kernel, which slows them down. With a transport for each peer, one turn of the
loop would serve them all, however many they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import select
import socket
import time
from collections.abc import Callable

from nrunner.record import dataclass
from nrunner.runners.line import Budget, Line, Lines
from nrunner.status.intake import Accepted, Intake, Refusal, Sink
from nrunner.status.listener import is_allowed_peer
from nrunner.status.peer import Peer

__all__ = ["Collector", "CollectorStatistics"]

_TURN = 0.003
"""Seconds after which other work on the loop gets its turn."""
_READ = 32 * 1024
_SLICE = 100
"""Lines between two looks at the clock, and messages that are passed on together.

So few that they are gone before the garbage collector has a look, which would cost more than
larger batches save.
"""
_TOKEN_SECONDS = 10.0
_RECOVERY = 1.0
"""Seconds until connections are accepted again after that failed, for want of descriptors say."""
_LAST_WORDS = 2.0
"""Seconds for reading what peers had sent when they were cut off."""
_BUDGET = 128 * 1024 * 1024
_CONNECTIONS = 4096
_SHARE = 4
"""The part of all descriptors that connections may take: one in so many."""
_STRANGERS = 64
"""Connections that have yet to show a token."""


@dataclass(frozen=True, slots=True)
class CollectorStatistics:
    """What the collector's connections did so far."""

    connections: int
    open: int
    turned_away: int
    """Connections that were refused: wrong token, foreign user, or too many at once."""
    bytes: int
    held: int
    """Bytes of incomplete lines held now, beyond what each connection may hold freely."""


@dataclass(frozen=True, slots=True)
class _Door:
    """A socket that listens, and the token that who comes in there has to show."""

    listener: socket.socket
    token: str | None


class Collector:
    """Accepts connections and passes on what their lines say."""

    def __init__(
        self,
        intake: Intake,
        sink: Sink,
        *,
        budget: int = _BUDGET,
        most: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._intake = intake
        self._sink = sink
        self._most = _affordable() if most is None else most
        self._clock = clock
        self._budget = Budget(budget)
        self._epoll: select.epoll | None = None
        self._doors: dict[int, _Door] = {}
        self._peers: dict[int, Peer] = {}
        self._strangers: dict[Peer, None] = {}
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._waiting: list[Line] = []
        """What was read last and has not been handled. Nothing else is read meanwhile."""
        self._unwatched = True
        """Whether the loop does not watch the epoll, since a turn will come without that."""
        self._accepted: list[Accepted] = []
        self._connections = self._turned_away = self._bytes = 0

    def listen(self, listener: socket.socket, token: str | None = None) -> None:
        """Accept connections from a listening socket; with a token, only from those who show it."""
        if self._epoll is None:
            self._epoll = select.epoll()
            self._order_turn(self._epoll.fileno())
        self._doors[listener.fileno()] = _Door(listener, token)
        self._epoll.register(listener, select.EPOLLIN)

    async def close(self, grace: float = 0.5) -> None:
        """Take in what peers have sent, waiting at most `grace` seconds for them to close."""
        # Who waits to be accepted has a say, too.
        for door in self._doors.values():
            while self._accept(door):
                pass
            door.listener.close()
        self._doors.clear()
        if not await self._all_leave(grace):
            self._cut_off()
            if not await self._all_leave(_LAST_WORDS):
                self._drop_all()
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll, self._unwatched = None, True

    def statistics(self) -> CollectorStatistics:
        """Return what the connections did so far."""
        return CollectorStatistics(
            self._connections,
            len(self._peers),
            self._turned_away,
            self._bytes,
            self._budget.held,
        )

    # Turns.

    def _turn(self) -> None:
        end = self._clock() + _TURN
        try:
            while self._step() and self._clock() < end:
                pass
            self._pass_on()
        finally:  # whatever the sink may raise
            if self._epoll is not None:
                self._order_turn(self._epoll.fileno())

    def _order_turn(self, epoll: int) -> None:
        """See to it that there is one more turn, and never two between others' turns."""
        loop = asyncio.get_running_loop()
        if self._waiting:
            loop.remove_reader(epoll)
            loop.call_soon(self._turn)
        elif self._unwatched:
            loop.add_reader(epoll, self._turn)
        self._unwatched = bool(self._waiting)

    def _step(self) -> bool:
        """Do a little of what there is to do; return whether there was anything."""
        if self._waiting:
            lines, self._waiting = self._waiting[:_SLICE], self._waiting[_SLICE:]
            self._handle(lines)
            return True
        ready = [] if self._epoll is None else self._epoll.poll(0, 1)
        for handle, _ in ready:
            if handle in self._peers:
                self._read(self._peers[handle])
            else:
                self._accept(self._doors[handle])
        return bool(ready)

    def _handle(self, lines: list[Line]) -> None:
        self._accepted += self._intake.take(lines)
        if len(self._accepted) >= _SLICE:
            self._pass_on()

    def _pass_on(self) -> None:
        accepted, self._accepted = self._accepted, []
        if accepted:
            self._sink(accepted)

    # Peers.

    def _accept(self, door: _Door) -> bool:
        """Let in the next peer at a door; return whether there was one."""
        try:
            connection, _ = door.listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError:  # the peer goes on waiting, and would wake us for nothing
            self._watch(door, 0)
            asyncio.get_running_loop().call_later(_RECOVERY, self._watch, door, select.EPOLLIN)
            return False
        self._connections += 1
        foreign = connection.family == socket.AF_UNIX and not is_allowed_peer(connection)
        if foreign or len(self._peers) >= self._most:
            self._turned_away += 1
            connection.close()
        else:
            self._admit(connection, door.token)
        return True

    def _watch(self, door: _Door, events: int) -> None:
        if self._epoll is not None and door.listener.fileno() in self._doors:
            self._epoll.modify(door.listener, events)

    def _admit(self, connection: socket.socket, token: str | None) -> None:
        assert self._epoll is not None
        connection.setblocking(False)
        peer = Peer(connection, Lines(self._budget, self._too_long), token)
        self._peers[connection.fileno()] = peer
        self._nobody.clear()
        self._epoll.register(connection, select.EPOLLIN)
        if token is not None:
            self._make_room_for_stranger()
            self._strangers[peer] = None
            loop = asyncio.get_running_loop()
            peer.deadline = loop.call_later(_TOKEN_SECONDS, self._turn_away, peer)

    def _read(self, peer: Peer) -> None:
        try:
            data = peer.connection.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        self._bytes += len(data)
        lines = peer.feed(data)
        if lines is None:
            self._turn_away(peer)
            return
        self._waiting = lines
        if peer.admitted:
            self._expect_nothing_more(peer)

    def _make_room_for_stranger(self) -> None:
        """Turn away who has kept silent longest: whoever has a token shows it at once."""
        if len(self._strangers) >= _STRANGERS:
            self._turn_away(next(iter(self._strangers)))

    def _expect_nothing_more(self, peer: Peer) -> None:
        """End the wait for a token."""
        self._strangers.pop(peer, None)
        if peer.deadline is not None:
            peer.deadline.cancel()
            peer.deadline = None

    def _turn_away(self, peer: Peer) -> None:
        self._turned_away += 1
        self._drop(peer)

    def _drop(self, peer: Peer) -> None:
        assert self._epoll is not None
        self._expect_nothing_more(peer)
        self._epoll.unregister(peer.connection)
        del self._peers[peer.connection.fileno()]
        peer.connection.close()
        self._handle(peer.finish())
        if not self._peers:
            self._nobody.set()

    def _too_long(self, beginning: bytes) -> None:
        self._intake.refuse(Refusal.TOO_LONG, repr(beginning))

    # The end.

    async def _all_leave(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._nobody.wait()
        except TimeoutError:
            return False
        return True

    def _cut_off(self) -> None:
        """Let peers send no more. What they have sent can still be read, then comes the end."""
        for peer in self._peers.values():
            with contextlib.suppress(OSError):
                peer.connection.shutdown(socket.SHUT_RD)

    def _drop_all(self) -> None:
        lines, self._waiting = self._waiting, []
        self._handle(lines)
        for peer in tuple(self._peers.values()):
            self._drop(peer)
        self._pass_on()


def _affordable() -> int:
    """Return how many connections there may be, so that descriptors are left for the job."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    return _CONNECTIONS if unlimited else max(1, min(_CONNECTIONS, soft // _SHARE))
