"""The agent: the supervisor inside an environment, and its conversation with the controller.

One per environment. It outlives the loss of its controller until the orphan deadline: events wait
in the spool, limits and killing go on. Frames are described in docs/protocol.md. Not responsible
for the attempts themselves (``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

# What hmac offers as compare_digest, without the 10 ms that importing hmac takes.
from _operator import _compare_digest as compare_digest
from collections.abc import Callable, Mapping

from nrunner import __version__
from nrunner.errors import NrunnerError, ProtocolError
from nrunner.record import replace
from nrunner.runnable import Runnable
from nrunner.runners import procfs, registry, wire
from nrunner.runners.attempt import Attempt, Order, Settings, whole
from nrunner.runners.cgroup import Group
from nrunner.runners.connection import Connection
from nrunner.runners.door import Door
from nrunner.runners.executable_runner import EXECUTABLES, find_executable
from nrunner.runners.loop import Loop, Timer
from nrunner.runners.spool import Spool
from nrunner.runners.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Optional

    from nrunner.runners.errands import Errands
    from nrunner.runners.lease import Lease
    from nrunner.runners.porter import Porter
    from nrunner.runners.tenure import Tenure

__all__ = ["Agent"]

_BATCH_FOR = 0.01
"""Seconds that events may wait for others, while the controller has nothing to wait for."""
_BATCH_BYTES = 1 << 15

_BEGINNINGS = ("started", "not_started")
_MOST_CONNECTIONS = 16
_OWN_FILES = 24
_FILES_OF_ATTEMPT = 8
"""Two pipes, what they are written to, and for some kinds a socket or two."""
_LONGEST_COMPLAINT = 1000
_FEW_OUTPUTS = 100
"""Names that fit into a frame whatever letters they consist of."""
_MOST_KINDS = 1000
"""Each is looked for on the whole of PATH."""
_MALFORMED = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What comes of a field that is missing or wrong, if nobody says it better."""
_UNTIL_FIRST_HELLO = 15.0
"""Seconds that an agent waits for its first controller."""
_SHUT_DOWN = "it was killed together with its agent, as when the machine is shut down"
_ORPHAN_PATIENCE = 15.0
"""Seconds that an orphan has until it leaves whatever is left."""


class Agent:
    """Serves one controller at a time on a listening unix socket."""

    def __init__(
        self,
        folder: str,
        listener: socket.socket,
        token: str,
        group: Optional[Group] = None,
        greeted: Callable[[], None] = lambda: None,
        lease: Optional[Lease] = None,
    ) -> None:
        """`group` is the control group that was made for it, in which it is, or soon will be.

        `greeted` is called once the first controller has been met. `lease` is that of the machine,
        if machines are leased where it is.
        """
        self._folder = folder
        self._greeted = greeted
        self._group = group
        self._token = token
        self._loop = Loop()
        self._door = Door(self._loop, listener, self._admit)
        self._spool = Spool()
        self._connections: dict[Connection, None] = {}
        self._controller: Optional[Connection] = None
        self._epoch = -1
        self._running = True
        self._is_short = False
        """Whether people were told that fewer attempts run at once than was asked for."""
        self._is_orphan = False
        """Whether it leaves once nothing runs any more."""
        self._is_ended = False
        """Whether it leaves since it got a signal, as all do when their machine is shut down."""
        self.is_forsaken = False
        """Whether it leaves since nobody came back."""
        self._is_used = False
        """Whether anything was ever ordered."""
        self._heard = 0
        """How often a controller has said something."""
        self._made_porter: Optional[Porter] = None
        status = folder + "/status"
        self._supervisor = Supervisor(
            self._loop, Settings(), self._emit, status, taking=self._note_taken
        )
        self._made_errands: Optional[Errands] = None
        self._flush_timer: Optional[Timer] = None
        self._tenure = None if lease is None else self._hold(lease)
        self._orphan: Optional[Timer] = self._loop.real_after(_UNTIL_FIRST_HELLO, self._leave)

    def serve(self) -> None:
        """Work until told to leave, or alone for too long."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            self._loop.on_signal(number, self._be_ended)
        try:
            while self._running and not (self._is_orphan and self._supervisor.is_idle):
                self._loop.run_once()
                self._supervisor.pump()
                self._flush()
        finally:
            self._supervisor.end_strays()
            if self._made_porter is not None:
                self._made_porter.forget_requests()
            if self._controller is not None:
                self._controller.flush()
            self._spool.close(leave=not self._supervisor.is_idle)
            self._supervisor.close()
            for connection in list(self._connections):
                connection.close()

    def _flush(self) -> None:
        """Send what is to be said; while there is work anyway, a few events at a time.

        Waking the controller costs both sides more than the event itself.
        """
        controller = self._controller
        if controller is None or not controller.pending:
            return
        if not self._supervisor.has_backlog or controller.pending > _BATCH_BYTES:
            controller.flush()
        elif self._flush_timer is None:
            self._flush_timer = self._loop.real_after(_BATCH_FOR, self._flush_batch)

    def _flush_batch(self) -> None:
        self._flush_timer = None
        if self._controller is not None:
            self._controller.flush()

    # The controller.

    def _admit(self, peer: socket.socket) -> None:
        if len(self._connections) >= _MOST_CONNECTIONS:
            # Who has something to say says hello at once: the one who has been silent longest goes.
            oldest = next(each for each in self._connections if each is not self._controller)
            oldest.close()
            self._forget(oldest)
        self._connections[Connection(self._loop, peer, self._take, self._lost)] = None

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    def _lost(self, connection: Connection) -> None:
        self._forget(connection)
        if connection is self._controller:
            self._controller = None
            self._supervisor.resume()  # whoever stopped for us cannot go on any more
            self._orphan = self._loop.real_after(self._patience(), self._give_up)
            if self._tenure is not None:
                self._tenure.renew()

    def _patience(self) -> float:
        """Return for how long another controller is waited for."""
        deadline = self._supervisor.settings.orphan_deadline
        if self._tenure is not None and not self._is_used:
            # The one that greeted us may have noted nowhere that we are here.
            return min(deadline, _UNTIL_FIRST_HELLO)
        return deadline

    def _hold(self, lease: Lease) -> Tenure:
        """Renew a lease for as long as a controller is heard of."""
        from nrunner.runners.tenure import Tenure

        return Tenure(
            self._loop,
            lease,
            self._patience,
            lambda: self._heard if self._controller is not None else None,
            self._hang_up,
        )

    def _hang_up(self) -> None:
        """Part with a controller of which nothing is heard."""
        if self._controller is not None:
            self._controller.close()
            self._lost(self._controller)

    def _give_up(self) -> None:
        """End everything since nobody came back."""
        self.is_forsaken = True
        self._abandon(f"no controller for {self._patience():g} s")

    def _abandon(self, detail: str) -> None:
        """End everything, and leave; how it ended stays in the file of the spool."""
        if self._made_errands is not None:
            self._made_errands.stop_waiting(detail)
        self._supervisor.stop_all("orphaned", detail, kill=True)
        self._is_orphan = True
        self._orphan = self._loop.real_after(_ORPHAN_PATIENCE, self._leave)

    def _leave(self) -> None:
        self._running = False

    def _be_ended(self) -> None:
        """Leave since somebody wants that, who may end all that runs here at the same time."""
        self._is_ended = True
        self._leave()

    def _take(self, connection: Connection, frame: wire.Frame) -> None:
        head = frame.head
        kind = head.get("type")
        if connection is not self._controller:
            self._meet(connection, head)
            return
        self._heard += 1
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None and kind != "put":
            self._complain(head, f"unknown frame {kind!r}")
            return
        try:
            if handler is None:
                self._porter.put(head, frame.body)
            else:
                handler(self, head)
        except NrunnerError as error:
            self._complain(head, str(error))
        except _MALFORMED as error:
            self._complain(head, f"malformed frame {kind!r}: {error!r}")

    def _meet(self, connection: Connection, head: Mapping[str, Any]) -> None:
        if head.get("type") != "hello":
            self._refuse(connection, "say hello first")
            return
        try:
            self._greet(connection, head)
        except _MALFORMED as error:
            self._refuse(connection, f"malformed hello: {error}")

    def _greet(self, connection: Connection, head: Mapping[str, Any]) -> None:
        token, epoch = str(head.get("token", "")), head.get("epoch")
        acknowledged = whole(head.get("acknowledged", 0))
        if not compare_digest(token.encode(), self._token.encode()):
            self._refuse(connection, "wrong token")
        elif abs(int(head.get("protocol", 0)) - wire.PROTOCOL_VERSION) > 1:
            self._refuse(connection, f"protocol {head.get('protocol')} is too far from mine")
        elif type(epoch) is not int or epoch < self._epoch:
            reason = f"epoch {epoch} is older than {self._epoch}"
            self._refuse(connection, reason, replaced=True)
        else:
            if epoch > self._epoch:
                self._forget_requests()
            if self._epoch < 0:
                self._greeted()
            self._epoch = epoch
            if self._controller is not None:
                self._refuse(self._controller, f"replaced by epoch {epoch}", replaced=True)
            self._controller = connection
            self._supervisor.resume()
            self._is_orphan = self.is_forsaken = False
            if self._orphan is not None:
                self._orphan.cancel()
            if self._tenure is not None:
                self._tenure.begin(epoch)
            connection.send(wire.encode(self._hello()))
            for event in self._spool.replay(acknowledged):
                connection.send(event)

    def _forget_requests(self) -> None:
        """Another controller counts its requests anew."""
        if self._made_errands is not None:
            self._made_errands.forget_requests()
        if self._made_porter is not None:
            self._made_porter.forget_requests()

    def _hello(self) -> dict[str, Any]:
        me = procfs.read_process(os.getpid())
        return {
            "type": "hello",
            "protocol": wire.PROTOCOL_VERSION,
            "version": __version__,
            "boot_id": procfs.boot_id(),
            "pid": os.getpid(),
            "start": me.start if me else 0,
            "python": sys.version.split()[0],
            "arch": os.uname().machine,
            "kinds": sorted(registry.KINDS),
            "tasks": self._supervisor.tasks(),
            "first": self._spool.first,
            "last": self._spool.last,
            "time": time.monotonic(),
        }

    def _refuse(self, connection: Connection, reason: str, *, replaced: bool = False) -> None:
        if connection is self._controller:
            self._controller = None
        head = {"type": "refused", "reason": reason[:_LONGEST_COMPLAINT], "replaced": replaced}
        connection.send(wire.encode(head))
        connection.flush()
        connection.close()
        self._forget(connection)

    # What a controller may ask.

    def _set(self, head: Mapping[str, Any]) -> None:
        settings = Settings.from_json(head)
        group, self._group = self._group, None
        if group is not None and (group.has_me() or (group.take(0) and group.has_me())):
            self._supervisor.is_grouped()
        most = _affordable()
        is_short = settings.slots > most
        if is_short:
            settings = replace(settings, slots=most)
        if settings.enclose:
            # Nobody else could make it: attempts run there.
            os.makedirs(settings.base_dir, 0o700, exist_ok=True)
        self._supervisor.settings = settings
        self._supervisor.set_spare(min(settings.slots, most - settings.slots))
        # Nothing runs before this, so nothing was said that would have to be kept.
        self._spool.keep_in(str(head.get("spool") or self._folder + "/spool"))
        if self._tenure is not None:
            self._tenure.renew()
        if is_short and not self._is_short:
            self._is_short = True
            few = "one test runs" if most == 1 else f"{most} tests run"
            self._supervisor.notice(f"at most {few} at once, for want of file descriptors")

    def _run(self, head: Mapping[str, Any]) -> None:
        self._is_used = True
        try:
            order = Order.from_json(head, self._supervisor.settings.config)
        except (*_MALFORMED, NrunnerError) as error:
            # Whoever ordered it waits for an event.
            unread = Order(whole(head["task"]), whole(head["attempt"]), "", Runnable("noop"), "")
            reason = f"its order cannot be read: {error}"[:_LONGEST_COMPLAINT]
            self._emit(Attempt(unread), "not_started", {"cause": "malformed", "reason": reason})
        else:
            self._supervisor.run(order)

    def _cancel(self, head: Mapping[str, Any]) -> None:
        detail = str(head.get("detail", "cancelled"))
        if "fulfilment" in head:
            self._errands.cancel(whole(head["fulfilment"]), detail)
            return
        kill = head.get("kill") is True
        key, examine = (whole(head["task"]), whole(head["attempt"])), head.get("examine") is True
        self._supervisor.cancel(*key, kill=kill, detail=detail, examine=examine)

    def _probe(self, head: Mapping[str, Any]) -> None:
        asked = head["kinds"]
        if not isinstance(asked, list) or len(asked) > _MOST_KINDS:
            raise ValueError(f"expected a list of {_MOST_KINDS} kinds at most")
        settings = self._supervisor.settings
        config, base_dir = settings.config, settings.base_dir
        named = config.get(EXECUTABLES)
        own = named if isinstance(named, Mapping) else ()
        kinds = {
            kind: kind in registry.KINDS
            or kind in registry.REQUIREMENT_KINDS
            or kind in own  # whether that is there, is said by whoever tries
            or find_executable(kind, config, base_dir) is not None
            for kind in asked
        }
        self._answer(head, kinds=kinds)

    def _check(self, head: Mapping[str, Any]) -> None:
        self._errands.take(head, is_check=True)

    def _fulfil(self, head: Mapping[str, Any]) -> None:
        self._is_used = True
        self._errands.take(head)

    def _get(self, head: Mapping[str, Any]) -> None:
        self._porter.get(head)

    def _tail(self, head: Mapping[str, Any]) -> None:
        self._porter.tail(head)

    @property
    def _porter(self) -> Porter:
        """Who carries files between here and the controller, if files have to be carried."""
        if self._made_porter is None:
            from nrunner.runners.porter import Porter

            self._made_porter = Porter(self._loop, self._supervisor, self._reply)
        return self._made_porter

    @property
    def _errands(self) -> Errands:
        """Those that were asked for; most jobs ask for none, and do without the import."""
        if self._made_errands is None:
            from nrunner.runners.errands import Errands

            self._made_errands = Errands(self._supervisor, self._folder, self._reply)
        return self._made_errands

    def _acknowledge(self, head: Mapping[str, Any]) -> None:
        self._spool.acknowledge(whole(head["seq"]))
        if "drop" in head:
            self._porter.drop(head["drop"])

    def _pause(self, head: Mapping[str, Any]) -> None:
        self._answer(head, paused=self._supervisor.pause())

    def _resume(self, head: Mapping[str, Any]) -> None:
        self._supervisor.resume()
        self._answer(head, resumed=True)

    def _be_abandoned(self, _head: Mapping[str, Any]) -> None:
        self._abandon("its controller gave up")

    def _show_up(self, head: Mapping[str, Any]) -> None:
        self._answer(head)

    def _shut_down(self, _head: Mapping[str, Any]) -> None:
        self._leave()

    def _answer(self, head: Mapping[str, Any], **fields: Any) -> None:
        request = head.get("request")
        if request is None or type(request) is int:
            self._reply({"type": "reply", "request": request, **fields})

    def _reply(self, reply: Mapping[str, Any], body: bytes = b"") -> None:
        if self._controller is not None:
            self._controller.send(wire.encode(reply, body))

    def _complain(self, head: Mapping[str, Any], error: str) -> None:
        # What is wrong may be as long as a frame, which an answer to it cannot be.
        self._answer(head, error=error[:_LONGEST_COMPLAINT])

    # What attempts tell.

    def _note_taken(self, task: int, attempt: int) -> None:
        if task > 0:
            self._spool.take(task, attempt)

    def _emit(self, attempt: Attempt, name: str, fields: Mapping[str, Any]) -> None:
        task, number = attempt.key
        if task < 0:
            if not self._supervisor.surveyor.heard(attempt, name, fields):
                self._errands.heard(attempt, name, fields)
            return
        head = {
            "type": "event",
            "seq": self._spool.next_number(),
            "task": task,
            "attempt": number,
            "event": name,
            **fields,
        }
        if self._is_ended and attempt.end is not None and attempt.end.signal is not None:
            head["trouble"] = _SHUT_DOWN
        if name == "ended" and self._made_porter is not None:
            self._made_porter.ended(attempt)
        frame = _encode_event(head)
        self._spool.add(frame, attempt.key if name in _BEGINNINGS else None)
        if self._controller is not None:
            self._controller.send(frame)

    _handlers: ClassVar[Mapping[str, Callable[[Agent, Mapping[str, Any]], None]]] = {
        "settings": _set,
        "run": _run,
        "cancel": _cancel,
        "probe": _probe,
        "check": _check,
        "fulfil": _fulfil,
        "get": _get,
        "tail": _tail,
        "ack": _acknowledge,
        "abandon": _be_abandoned,
        "pause": _pause,
        "resume": _resume,
        "ping": _show_up,
        "shutdown": _shut_down,
    }


def _affordable() -> int:
    """Return how many attempts may run at once, so that each has the descriptors it needs."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(1, (soft - _OWN_FILES) // _FILES_OF_ATTEMPT)


def _encode_event(head: Mapping[str, Any]) -> bytes:
    """Return an event as a frame; where it does not fit, with but the beginning of what is long."""
    try:
        return wire.encode(head)
    except ProtocolError:
        short = {
            name: each[:_LONGEST_COMPLAINT] if isinstance(each, str) else each
            for name, each in head.items()
        }
        if "outputs" in short:
            short["outputs"] = short["outputs"][:_FEW_OUTPUTS]
        return wire.encode(short)
