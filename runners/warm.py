"""Zygotes as their agent sees them: the other end of the socket, and what each is for.

Not responsible for when there is one (``nrunner.runners.nursery``), nor for what happens inside
it (``nrunner.runners.zygote``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import enum
import os
import signal
import socket
from collections.abc import Mapping, Sequence

from nrunner.record import dataclass, field
from nrunner.runners.attempt import Attempt
from nrunner.runners.procfs import Process
from nrunner.runners.zygote_wire import LONGEST_REQUEST, encode_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["Kind", "Module", "Sharing", "Waiting", "Zygote", "socket_pair"]

_MOST_FAILURES = 2
"""After so many zygotes of a kind that ended before they forked anything, there is no other."""


class Sharing(enum.Enum):
    """Whether the tests of a module share one import."""

    UNKNOWN = "unknown"
    LEARNING = "learning"
    """It is being imported for one of them, and the others wait."""
    SHARED = "shared"
    ALONE = "alone"
    """Each imports it by itself."""


@dataclass(frozen=True)
class Waiting:
    """An attempt that will be run once it is known whether it can share an import."""

    attempt: Attempt
    request: Mapping[str, Any]
    files: tuple[int, int]


class Zygote:
    """A zygote, or a process that is about to become one."""

    def __init__(self, kind: Kind, module: Optional[Module], peer: socket.socket) -> None:
        self.kind = kind
        self.module = module
        """The module that it has imported, None for one that has imported none."""
        self.socket = peer
        self.parent: Optional[Zygote] = None
        """The one that forked it, while it is not known what becomes of it."""
        self.tenant: Optional[Attempt] = None
        """Who runs in the process of a series, or ran there last."""
        self.process: Optional[Process] = None
        """Known once it is ready, or was spawned."""
        self.is_closed = False
        self.is_dismissed = False
        self.fate = ""
        """Why it ends, if we know it better than its wait status says."""
        self.last = 0
        """Number of the last request."""
        self.env: Optional[Mapping[str, str]] = None
        """The variables of the last request, which it still has; None if all are to be told."""
        self.asked: dict[int, Attempt] = {}
        """What was asked for and is not forked yet, by number."""
        self.running: dict[int, Attempt] = {}
        """What was forked and has not ended, by pid."""
        self.standing: dict[int, Attempt] = {}
        """What waits there until another one has ended, by number."""

    @property
    def load(self) -> int:
        """How many attempts it has."""
        return len(self.asked) + len(self.running) + len(self.standing)

    @property
    def has_room(self) -> bool:
        """Whether an attempt may wait here until the one that runs has ended."""
        return bool(self.running) and not (self.asked or self.standing or self.is_closed)

    def owes(self, attempt: Attempt) -> bool:
        """Whether an attempt is to be forked here, and is not yet."""
        return attempt in self.asked.values() or attempt in self.standing.values()

    def send(self, request: Mapping[str, Any], files: Sequence[int]) -> bool:
        """Send a request with open files; return whether that was possible."""
        data = encode_request(request)
        if len(data) > LONGEST_REQUEST:
            return False
        try:
            socket.send_fds(self.socket, [data], files)
        except OSError:
            return False  # it is gone, or too busy to listen
        if self.load and self.process is not None and "waits" not in request:
            self._prompt(self.process.pid)
        return True

    @staticmethod
    def _prompt(pid: int) -> None:
        """Have it read while a test runs. If it is gone, whoever has the pid now does not mind."""
        try:
            os.kill(pid, signal.SIGCHLD)
        except OSError:
            return

    def ask(self, attempt: Attempt, request: Mapping[str, Any], files: Sequence[int]) -> bool:
        """Ask for a fork; return whether there will be an answer."""
        # What waits there was told only the variables that differ from what is set now.
        if self.standing or not self._tell(request, files):
            return False
        self.asked[self.last] = attempt
        return True

    def ask_later(self, attempt: Attempt, request: Mapping[str, Any], files: Sequence[int]) -> bool:
        """Ask for a fork once what runs there has ended; return whether there will be an answer."""
        if not self._tell({**request, "waits": True}, files):
            return False
        self.standing[self.last] = attempt
        return True

    def go(self, number: int) -> bool:
        """Have what waits under a number forked now; return whether there will be an answer."""
        self.asked[number] = self.standing.pop(number)
        return self.send({"go": True}, ())

    def drop(self) -> bool:
        """Have what waits forgotten; return whether there will be an answer."""
        if self.env is not None:
            self.env = {}  # those of the request that is forgotten may never be set
        return self.send({"drop": True}, ())

    def _tell(self, request: Mapping[str, Any], files: Sequence[int]) -> bool:
        if not self.send(self._shortened(request), files):
            return False
        if self.env is not None:
            self.env = request["env"]
        self.last = request["number"]
        return True

    def _shortened(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Leave out the variables that it has: each that is set costs it pages of memory."""
        if self.env is None:
            return request
        has = self.env.get
        changed = {name: value for name, value in request["env"].items() if has(name) != value}
        return {**request, "env": changed}


@dataclass
class Module:
    """A module of tests, and who has imported it."""

    name: str
    sharing: Sharing = Sharing.UNKNOWN
    zygotes: list[Zygote] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)

    def next_room(self) -> Optional[Zygote]:
        """Return a zygote where an attempt may wait; None, too, if one has nothing to do."""
        if not all(each.load for each in self.zygotes):
            return None
        return next((each for each in self.zygotes if each.has_room), None)

    def choose(self, most: int) -> tuple[Zygote, bool]:
        """Return the zygote that has least to do, and whether it should have a twin."""
        zygote = min(self.zygotes, key=lambda each: each.load)
        return zygote, zygote.load > 0 and len(self.zygotes) < most


@dataclass
class Kind:
    """Zygotes that are alike: interpreter, folder, environment."""

    argv: tuple[str, ...]
    cwd: str
    zygote: Optional[Zygote] = None
    """The one that has imported no module."""
    failures: int = 0
    modules: dict[str, Module] = field(default_factory=dict)

    @property
    def is_cold(self) -> bool:
        """Whether it was found out that there can be none."""
        return self.failures >= _MOST_FAILURES

    def give_up(self) -> None:
        """Note that there can be none."""
        self.failures = _MOST_FAILURES


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return our end, which never blocks, and that of a zygote."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs
