"""The agent's zygotes: starts them, hands attempts to them, hears what became of the forks.

One for each interpreter, folder and environment; see ``nrunner.runners.zygote`` for what is said
over its socket. A zygote that ends takes no attempt with it: what it had forked goes on, as the
agent's child; what it had not is started by a new interpreter. Not responsible for attempts as
such (``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any, Optional, Protocol

from nrunner.runners import child, procfs
from nrunner.runners.attempt import Attempt
from nrunner.runners.base import Command
from nrunner.runners.killing import MARK
from nrunner.runners.loop import Loop
from nrunner.runners.payload import describe
from nrunner.runners.zygote import LONGEST_REQUEST, PLACEHOLDER

__all__ = ["Listener", "Nursery"]

_LONGEST_MARK = 128
_MOST_FAILURES = 2
"""After so many zygotes of a kind that ended before they forked anything, there is no other."""

_Key = tuple[object, ...]


class Listener(Protocol):
    """What a nursery tells its supervisor."""

    def forked(self, attempt: Attempt, pid: int) -> None:
        """An attempt runs, in a process that is no child of the agent."""

    def ended(self, pid: int, status: int) -> None:
        """A process that was forked ended with a wait status."""

    def lost(self, attempt: Attempt) -> None:
        """A process ended, and nobody knows how."""

    def refused(self, attempt: Attempt) -> None:
        """An attempt was not started after all."""

    def notice(self, text: str) -> None:
        """Something that people should know."""


class Nursery:
    """Owns the zygotes of an agent."""

    def __init__(
        self, loop: Loop, listener: Listener, env: Callable[[Attempt], Mapping[str, str]]
    ) -> None:
        """`env` says in which environment the interpreter for an attempt is started."""
        self._loop = loop
        self._listener = listener
        self._env = env
        self._kinds: dict[_Key, _Kind] = {}
        self._zygotes: dict[int, _Zygote] = {}
        """By pid, until their end is known."""
        self._number = 0

    @property
    def pids(self) -> Mapping[int, object]:
        """The zygotes themselves, which are no attempt's processes."""
        return self._zygotes

    def take(self, attempt: Attempt, command: Command, files: tuple[int, int]) -> bool:
        """Have an attempt run by a fork; return whether there is an answer to wait for."""
        assert command.warm is not None
        variables = attempt.order.runnable.config.get("runner.env") or {}
        key = (command.warm.argv, command.cwd, tuple(sorted(variables.items())))
        kind = self._kinds.setdefault(key, _Kind())
        if kind.zygote is None and kind.failures < _MOST_FAILURES:
            self._start(kind, command.warm.argv, command.cwd, self._env(attempt))
        if kind.zygote is None:
            return False
        self._number += 1
        request = {
            "number": self._number,
            "spec": command.warm.spec,
            "env": {**command.env, MARK: attempt.mark},
            "mark": f"{MARK}={attempt.mark}",
        }
        return kind.zygote.ask(attempt, request, files)

    def abandon(self, attempt: Attempt) -> None:
        """Have an attempt that is not forked yet refused, by force."""
        for zygote in self._zygotes.values():
            if attempt in zygote.asked.values():
                zygote.fate = "did not answer and was killed"
                _kill(zygote.pid)

    def reaped(self, pid: int, status: int) -> bool:
        """Hear that a child of the agent ended; return whether it was a zygote.

        Whatever the zygotes have said until now is taken first, so that it is known whose it was.
        """
        for each in list(self._zygotes.values()):
            self._listen(each)
        zygote = self._zygotes.pop(pid, None)
        if zygote is None:
            return False
        self._bury(zygote, status)
        return True

    def close(self) -> None:
        """Hang up: zygotes end by themselves."""
        for zygote in self._zygotes.values():
            self._hang_up(zygote)

    # Starting.

    def _start(self, kind: _Kind, argv: tuple[str, ...], cwd: str, env: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.set_inheritable(True)
        with theirs, open(os.devnull, "wb") as null:
            words = (*argv, str(theirs.fileno()))
            more = {PLACEHOLDER: "-" * _LONGEST_MARK}
            try:
                pid = child.spawn(words, {**env, **more}, cwd, null.fileno(), null.fileno())
            except (OSError, ValueError):
                ours.close()
                kind.failures = _MOST_FAILURES  # a new interpreter will say what is wrong
                return
        zygote = kind.zygote = _Zygote(kind, pid, ours, argv[0])
        self._zygotes[pid] = zygote
        self._loop.watch(ours.fileno(), lambda: self._listen(zygote))

    # Listening.

    def _listen(self, zygote: _Zygote) -> None:
        """Take all that a zygote, and those it forked, have said until now."""
        while not zygote.is_closed:
            try:
                words = zygote.socket.recv(4096).split(b" ", 2)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                words = [b""]
            if not words[0]:
                self._hang_up(zygote)
            elif words[0] == b"forked":
                self._hear_forked(zygote, int(words[1]), int(words[2]))
            elif words[0] == b"ended":
                pid = int(words[1])
                zygote.running.pop(pid, None)
                self._listener.ended(pid, int(words[2]))
            elif words[0] == b"unfit":
                zygote.fate = "cannot be forked: " + b" ".join(words[1:]).decode()
                zygote.kind.failures = _MOST_FAILURES

    def _hear_forked(self, zygote: _Zygote, number: int, pid: int) -> None:
        zygote.kind.failures = 0
        attempt = zygote.asked.pop(number)
        zygote.running[pid] = attempt
        self._listener.forked(attempt, pid)

    def _hang_up(self, zygote: _Zygote) -> None:
        """The conversation is over: what was not forked until now never will be."""
        if zygote.is_closed:
            return
        zygote.is_closed = True
        self._loop.unwatch(zygote.socket.fileno())
        zygote.socket.close()
        if zygote.kind.zygote is zygote:
            zygote.kind.zygote = None
        asked, zygote.asked = zygote.asked, {}
        if asked:
            zygote.kind.failures += 1
        for attempt in asked.values():
            self._listener.refused(attempt)

    def _bury(self, zygote: _Zygote, status: int) -> None:
        """A zygote is gone: the ends of those it forked are told to the agent from now on."""
        if zygote.kind.zygote is zygote:
            # The socket may be open in a child that has not yet said that it was forked.
            zygote.kind.zygote = None
        fate = zygote.fate or f"ended: {describe(child.exit_of(status)) or 'exited with status 0'}"
        cold = zygote.kind.failures >= _MOST_FAILURES
        rest = "tests get interpreters of their own" if cold else "another takes its place"
        self._listener.notice(f"{zygote.name} {fate}; {rest}")
        me = os.getpid()
        for pid, attempt in zygote.running.items():
            process = procfs.read_process(pid)
            is_mine = process is not None and process.parent == me
            if attempt.end is None and not is_mine:
                self._listener.lost(attempt)


class _Kind:
    """Zygotes that are alike: at most one at a time."""

    def __init__(self) -> None:
        self.zygote: Optional[_Zygote] = None
        self.failures = 0


class _Zygote:
    """A zygote, as its agent sees it."""

    def __init__(self, kind: _Kind, pid: int, peer: socket.socket, python: str) -> None:
        self.kind = kind
        self.pid = pid
        self.socket = peer
        self.name = f"the zygote {pid} of {python}"
        self.is_closed = False
        self.fate = ""
        """Why it ends, if we know it better than its wait status says."""
        self.asked: dict[int, Attempt] = {}
        """What was asked for and is not forked yet, by number."""
        self.running: dict[int, Attempt] = {}
        """What was forked and has not ended, by pid."""

    def ask(self, attempt: Attempt, request: Mapping[str, Any], files: tuple[int, int]) -> bool:
        """Send a request with open files; return whether that was possible."""
        data = json.dumps(request).encode()
        if len(data) > LONGEST_REQUEST:
            return False
        try:
            socket.send_fds(self.socket, [data], list(files))
        except OSError:
            return False  # it is gone, or too busy to listen
        self.asked[request["number"]] = attempt
        return True


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
