"""The guardian: a process above the agent that does nothing but wait for it.

If the agent is killed (by a test, by the kernel), its orphans become the guardian's children, and
it kills them. Where it can make a control group, the agent is put into one, and whatever is in
there when the agent is gone is killed by the kernel. Not responsible for anything that the agent
does while it lives.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time

# Its agent needs them, too; what is loaded before the fork is there when everybody waits for us.
from nrunner.runners import cgroup
from nrunner.runners.child import prctl, set_subreaper
from nrunner.runners.procfs import children_of, snapshot, tracer_of
from nrunner.runners.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from nrunner.runners.lease import Lease

__all__ = ["guard"]

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_PATIENCE = 3
"""Seconds that an agent has to leave; shorter than any destroyer's patience with the guardian."""
_PR_SET_PDEATHSIG = 1
_FORSAKEN = 3
"""Exit status of an agent on a leased machine that nobody came back for: nothing is to be left."""
_LEAVE_WITHIN = 0.5
"""Seconds that an agent without a guardian has to clean up by itself."""
_AT_ONCE = 0.5
"""Seconds in which the end of the parent may still be told after it means nothing any more."""
_KILL_FOR = 3.0
"""Seconds after which what a SIGKILL does not end is left to the kernel; whoever waits for us is
still patient then."""


def guard(
    folder: str,
    listening: int,
    *,
    may_group: bool = True,
    starter: int = 0,
    lease: Optional[Lease] = None,
) -> int:
    """Run the agent in a child; when it is gone, end what it left behind.

    `may_group` says whether a control group may be made for it. `starter` is the process with
    which both end, unless a controller was greeted before; 0 for none. `lease` is what both hold.
    """
    set_subreaper()
    bond = _Bond(starter)
    if bond.is_broken:
        _clear(folder)
        return 1
    # Until both know what to do with them, signals wait: none may end one and leave the other.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    me = os.getpid()
    group = _make_group(me) if may_group else None
    try:
        pid = os.fork()
    except OSError as error:
        sys.stderr.write(f"cannot start: {error.strerror}\n")
        if group is not None:
            group.remove()
        return 1
    if pid == 0:
        os._exit(_serve(folder, listening, me, group, bool(starter), lease))
    os.close(listening)
    _watch_over(pid, bond)
    status = _wait_in(group, pid)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _FORSAKEN:
        status = 0
        remove_tree(folder)
    else:
        _clear(folder)
    if lease is not None:
        lease.leave()
    # Whoever waits for our end need not wait for the interpreter's.
    os._exit(0 if status == 0 else 1)


def _make_group(guardian: int) -> Optional[cgroup.Group]:
    group = cgroup.group_for(guardian)
    return group if group is not None and group.make() else None


def _watch_over(pid: int, bond: _Bond) -> None:
    """Hand on to the agent what is to end it, and make sure that it does."""

    def end(number: int, _frame: object) -> None:
        if not bond.is_meant:
            _end(pid, number)

    for number in _ENDING:
        signal.signal(number, end)
    signal.signal(signal.SIGALRM, lambda _received, _frame: _kill(pid))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def _wait_in(group: Optional[cgroup.Group], pid: int) -> int:
    """Wait for the agent's end, then end what it left behind; return its wait status."""
    if group is not None:
        # While the agent is being loaded: it takes the kernel some milliseconds.
        group.take(pid)
        cgroup.remove_stale(after=_LEAVE_WITHIN)
    status = _wait(pid)
    until = time.monotonic() + _KILL_FOR
    if group is not None:
        group.kill(_KILL_FOR)
    _kill_children(until)
    if group is not None:
        group.remove()
    return status


class _Bond:
    """What ties a guardian to the process that started it, until a controller was greeted.

    Then its agent says so by a signal, and both may outlive whoever started them.
    """

    def __init__(self, starter: int) -> None:
        self._starter = starter
        self._untied = 0.0
        # Before there is an agent that could send it.
        signal.signal(signal.SIGUSR1, self._untie)
        if starter:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    @property
    def is_broken(self) -> bool:
        """Whether the starter was gone before anybody could be told of it."""
        return bool(self._starter) and os.getppid() != self._starter

    @property
    def is_meant(self) -> bool:
        """Whether a signal says no more than that the parent is gone, which came a bit too late."""
        return os.getppid() != self._starter and time.monotonic() - self._untied < _AT_ONCE

    def _untie(self, _number: int, _frame: object) -> None:
        prctl(_PR_SET_PDEATHSIG, 0)
        self._untied = time.monotonic()


def _serve(
    folder: str,
    listening: int,
    guardian: int,
    group: Optional[cgroup.Group],
    is_bound: bool,
    lease: Optional[Lease],
) -> int:
    from nrunner.runners.agent import Agent

    # From now on there may be garbage, but none in what is loaded.
    gc.freeze()
    gc.enable()

    # Without a guardian nobody would tell the controller, nor end what is left: leave, too.
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != guardian:
        return 1
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    with open(folder + "/token", encoding="ascii") as file:
        token = file.read().strip()
    listener = socket.socket(fileno=listening)
    os.set_inheritable(listening, False)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)

    def greeted() -> None:
        if is_bound:
            os.kill(guardian, signal.SIGUSR1)

    agent = Agent(folder, listener, token, group, greeted, lease)
    agent.serve()
    if group is not None and os.getppid() != guardian:
        group.leave()
        if group.kill(_KILL_FOR):
            group.remove()
    return _FORSAKEN if agent.is_forsaken and lease is not None else 0


def _wait(pid: int) -> int:
    """Wait for the end of the agent and return its wait status; nobody may stop it meanwhile."""
    while True:
        ended, status = os.waitpid(pid, os.WUNTRACED)
        if ended == pid and not os.WIFSTOPPED(status):
            return status
        _pass_on(pid, signal.SIGCONT)


def _end(pid: int, number: int) -> None:
    """Have the agent leave; an agent that does not (stuck) is killed."""
    _free(pid)
    _pass_on(pid, number)
    signal.alarm(_PATIENCE)


def _kill(pid: int) -> None:
    """Kill the agent; we hear of its end only once nobody traces it."""
    _pass_on(pid, signal.SIGKILL)
    _free(pid)


def _free(pid: int) -> None:
    """End whoever traces the agent, if it is one of our own descendants: a test."""
    everything = snapshot()
    tracer = above = tracer_of(pid)
    while above in everything and above != os.getpid():
        above = everything[above].parent
    if tracer and above == os.getpid():
        _pass_on(tracer, signal.SIGKILL)


def _pass_on(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _kill_children(until: float) -> None:
    while True:
        for child in children_of(os.getpid()):
            _pass_on(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if time.monotonic() > until:
            return
        time.sleep(0.002)


def _clear(folder: str) -> None:
    """Remove the agent's folder, but for what it had to say and nobody has heard."""
    for name in _names(folder):
        if name != "spool":
            try:
                os.unlink(f"{folder}/{name}")
            except OSError:
                remove_tree(f"{folder}/{name}")
    try:
        os.rmdir(folder)
    except OSError:
        pass


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
