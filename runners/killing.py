"""Finding and ending all processes of an attempt.

The agent is a child subreaper, so whatever an attempt leaves behind becomes the agent's child,
wherever it hid (double fork, session of its own). Membership is decided by descent, session,
brand (``nrunner.runners.brand``), a mark in the environment and open files. One sweep is never
enough, since forks may be in flight: callers repeat until `members` is empty. Not responsible for
when to kill; that is the agent.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable, Mapping

from nrunner.record import dataclass
from nrunner.runners import procfs
from nrunner.runners.brand import Brands
from nrunner.runners.procfs import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from nrunner.runners.brand import Key

__all__ = [
    "MARK",
    "Claim",
    "descendants",
    "describe",
    "job_of",
    "kill",
    "kill_all",
    "marked",
    "members",
    "orphans",
    "signal_all",
    "signal_group",
]

MARK = "NRUNNER_ATTEMPT"
"""Environment variable that every process of an attempt inherits."""

_TICKS = os.sysconf("SC_CLK_TCK")


def orphans(mains: Collection[int]) -> list[int]:
    """Return children of this process that are no attempt's main process."""
    return [pid for pid in procfs.own_children() if pid not in mains]


@dataclass(frozen=True)
class Claim:
    """What makes an orphan an attempt's own though it hides (own session, no mark).

    It has the brand of the attempt, or of one before it in the same process (`keys`). Where there
    are no brands, it is younger than the attempt, and either has a file in `folder` or one of
    `pipes` open, or there was nobody else whose it could be (`alone`).
    """

    folder: str
    began: float
    """Second of the monotonic clock."""
    alone: bool
    pipes: Collection[str] = ()
    keys: Collection[Key] = ()
    brands: Optional[Brands] = None

    def bears_brand(self, pid: int) -> Optional[bool]:
        """Whether a process has a brand of the attempt, None if it has none that we know."""
        bearer = self.brands.bearer(pid) if self.brands is not None else None
        return None if bearer is None else bearer in self.keys

    def covers(self, process: Process) -> bool:
        """Whether a process that hides belongs to the attempt."""
        asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        if process.start < int((self.began + asleep) * _TICKS):
            return False
        return self.alone or procfs.uses(process.pid, self.folder, self.pipes)


def members(
    main: int, mark: str, mains: Mapping[int, str], claim: Optional[Claim] = None
) -> list[Process]:
    """Return the live processes of the attempt whose main process was or is `main`.

    `mains` are the main processes of all attempts with their marks; `claim` decides about
    orphans that hide.
    """
    everything = procfs.snapshot()
    roots = set()
    if main in everything and mains.get(main) == mark:
        roots.add(main)
    me = os.getpid()
    for process in everything.values():
        if process.session == main or (
            process.parent == me
            and process.pid not in mains
            and _owner_is(process, mark, mains, claim)
        ):
            roots.add(process.pid)
    return _alive_below(roots, everything)


def descendants(strange: Collection[int]) -> list[Process]:
    """Return all live processes below this one but `strange` ones, parents before children."""
    everything = procfs.snapshot()
    return [
        each
        for each in _alive_below([os.getpid()], everything)
        if each.pid != os.getpid() and each.pid not in strange
    ]


def signal_all(processes: Iterable[Process], number: int) -> None:
    """Send a signal to each process, unless its pid was taken over by another one."""
    for process in processes:
        now = procfs.read_process(process.pid)
        if now is None or now.start != process.start:
            continue
        try:
            os.kill(process.pid, number)
            if number != signal.SIGKILL and now.state in "Tt":
                # A stopped process gets SIGTERM only once it goes on.
                os.kill(process.pid, signal.SIGCONT)
        except (ProcessLookupError, PermissionError):
            continue


def kill_all(processes: Collection[Process], strange: Collection[int]) -> None:
    """Kill the processes of an attempt; groups as a whole, with what is forked meanwhile.

    No list of processes has those. A session belongs to one attempt, and a group to one session,
    unless it is a `strange` one: our own, that of a zygote, of another attempt.
    """
    groups = {}
    for process in processes:
        if process.session not in strange and process.session != os.getsid(0):
            groups[process.group] = process
    for group, member in groups.items():
        now = procfs.read_process(member.pid)
        if group and now is not None and (now.start, now.group) == (member.start, group):
            signal_group(group, signal.SIGKILL)
    signal_all(processes, signal.SIGKILL)


def signal_group(leader: int, number: int) -> None:
    """Send a signal to a process group whose members are ours."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        pass


def kill(pid: int) -> None:
    """Kill a child that was not reaped yet."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def marked(job: str) -> list[Process]:
    """Return the live processes here whose mark is of a job, by the beginning of its id."""
    here = _pid_space("self")
    return [
        process
        for process in procfs.snapshot().values()
        if process.is_alive
        and (procfs.mark_of(process.pid, MARK) or "").startswith(job)
        and _pid_space(process.pid) == here
    ]


def _pid_space(pid: object) -> int:
    """Return the number of a process's pid namespace: those in containers have agents there."""
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return 0


def describe(process: Process) -> dict[str, Any]:
    """Say what people need to know of a process: pid, command, age, where it sleeps."""
    return {
        "pid": process.pid,
        "command": procfs.command_of(process.pid),
        "age": round(process.age(procfs.uptime()), 2),
        "wait_channel": procfs.wait_channel_of(process.pid),
    }


def _owner_is(
    process: Process, mark: str, mains: Mapping[int, str], claim: Optional[Claim]
) -> bool:
    if process.session in mains:
        return mains[process.session] == mark
    branded = None if claim is None else claim.bears_brand(process.pid)
    if branded is not None:
        return branded
    found = procfs.mark_of(process.pid, MARK)
    if found == mark:
        return True
    if claim is None or (found is not None and job_of(found) == job_of(mark)):
        return False
    return claim.covers(process)


def job_of(mark: str) -> str:
    """Return the job in a mark: a payload that runs nrunner itself leaves those of another."""
    return mark.partition(":")[0]


def _alive_below(roots: Collection[int], everything: Mapping[int, Process]) -> list[Process]:
    below: dict[int, list[int]] = {}
    for process in everything.values():
        below.setdefault(process.parent, []).append(process.pid)
    found: dict[int, Process] = {}
    todo = list(roots)
    while todo:
        pid = todo.pop()
        if pid in everything and pid not in found:
            found[pid] = everything[pid]
            todo.extend(below.get(pid, ()))
    return [process for process in found.values() if process.is_alive]
