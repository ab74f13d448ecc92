"""The lease of a machine: a lock that lives as long as an agent, and a note of who holds it.

Whoever holds the lock on ``lock`` has the machine; the kernel frees it with the last process that
holds it, however that ends. ``holder`` beside it says who that is, since when, and until when at
most if nothing more is heard of its controller. Not responsible for renewing it
(`nrunner.runners.tenure`).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Callable

from nrunner.record import dataclass, replace
from nrunner.runners import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

__all__ = [
    "Holder",
    "Lease",
    "forget",
    "look_at",
    "own_identity",
    "read_holder",
    "release",
    "take",
]

_PAUSE = 0.02
_PATIENCE = 1.0
"""Seconds in which whoever has just got the lock writes who it is, or who only looked lets go."""
_KILL_WITHIN = 5.0


@dataclass(frozen=True)
class Holder:
    """Who has the machine. Times are seconds of its own clock."""

    job: str
    who: str
    """User and machine of the controller."""
    folder: str
    """The agent's."""
    pid: int
    start: int
    boot_id: str
    since: float
    until: float
    """When it ends at most, if its controller is not heard of again."""
    epoch: int = 0

    @classmethod
    def from_json(cls, found: Any) -> Holder:
        """Read it; raise LookupError, TypeError or ValueError."""
        return cls(
            str(found["job"]),
            str(found["who"]),
            str(found["folder"]),
            int(found["pid"]),
            int(found["start"]),
            str(found["boot_id"]),
            float(found["since"]),
            float(found["until"]),
            int(found.get("epoch", 0)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def is_alive(self) -> bool:
        """Whether the process is still there that wrote this."""
        process = procfs.read_process(self.pid)
        is_same = process is not None and process.start == self.start and process.is_alive
        return is_same and self.boot_id == procfs.boot_id()


class Lease:
    """A lock that this process holds, and all that it forks and does not execute."""

    def __init__(self, folder: str, fd: int, holder: Holder) -> None:
        self._folder = folder
        self._fd = fd
        self.holder = holder

    def note(self, **changes: Union[str, int, float]) -> None:
        """Write who holds it, with some changes; a full disk is no reason to end."""
        self.holder = replace(self.holder, **changes)  # type: ignore[arg-type]
        path = f"{self._folder}/holder"
        mine = f"{path}.{os.getpid()}"
        try:
            fd = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "w", encoding="utf-8") as file:
                json.dump(self.holder.to_json(), file)
            os.rename(mine, path)
        except OSError:
            _unlink(mine)

    def leave(self) -> None:
        """Take the note away, and let go once nobody else has the lock from here."""
        _unlink(f"{self._folder}/holder")
        os.close(self._fd)

    def drop(self) -> None:
        """Close it here; whoever has it from here still holds it."""
        os.close(self._fd)


def own_identity() -> dict[str, Any]:
    """Return what tells this process from any other."""
    process = procfs.read_process(os.getpid())
    start = 0 if process is None else process.start
    return {"pid": os.getpid(), "start": start, "boot_id": procfs.boot_id()}


def take(folder: str, holder: Holder) -> Union[Lease, Optional[Holder]]:
    """Take the lease; return it, or who has it, None if that cannot be told. Raise OSError."""
    os.makedirs(folder, 0o700, exist_ok=True)
    fd = os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE
    while not _lock(fd, fcntl.LOCK_EX):
        found = read_holder(folder)
        is_known = found is not None and found.is_alive
        if is_known or time.monotonic() > deadline:
            os.close(fd)
            return found if is_known else None
        time.sleep(_PAUSE)
    lease = Lease(folder, fd, holder)
    lease.note()
    return lease


def read_holder(folder: str) -> Optional[Holder]:
    """Return who has noted that the lease is theirs; that may be long past."""
    try:
        with open(f"{folder}/holder", encoding="utf-8") as file:
            return Holder.from_json(json.load(file))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def look_at(folder: str) -> dict[str, Any]:
    """Return whether the lease is held, by whom, and whether an agent answers there."""
    is_held = _is_held(folder)
    holder = read_holder(folder) if is_held else None
    answers = holder is not None and holder.is_alive and _answers(holder.folder)
    running = [] if not is_held else [_command(pid) for pid in _holding(folder, holder)]
    return {
        "held": is_held,
        "answers": answers,
        "holder": None if holder is None else holder.to_json(),
        "processes": running,
        "time": time.time(),
    }


def release(folder: str) -> dict[str, Any]:
    """End by force whoever holds the lease, with all that runs below; return what was ended."""
    ended: dict[int, str] = {}
    until = time.monotonic() + _KILL_WITHIN
    while _is_held(folder) and time.monotonic() < until:
        # All are looked at before one is killed: its parent may end with it.
        found = {pid: _command(pid) for pid in _holding(folder, read_holder(folder))}
        for pid, command in found.items():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            if command:
                ended.setdefault(pid, command)
        time.sleep(_PAUSE)
    return {"held": forget(folder), "ended": [f"{pid} {ended[pid]}" for pid in sorted(ended)]}


def forget(folder: str) -> bool:
    """Take away the note of who held the lease, unless it is held still; return whether it is."""
    is_held = _is_held(folder)
    if not is_held:
        # We have it for that long: who takes it next has noted nothing yet.
        _try_lock(folder, fcntl.LOCK_EX, lambda: _unlink(f"{folder}/holder"))
    return is_held


def _holding(folder: str, holder: Optional[Holder]) -> list[int]:
    """Return who has the lock, and all that runs below, children before their parents."""
    everything = procfs.snapshot()
    roots = [pid for pid in everything if _has_open(pid, f"{folder}/lock")]
    if holder is not None and holder.is_alive:
        roots.append(holder.pid)
    found: dict[int, None] = {}
    todo = [pid for pid in roots if pid != os.getpid()]
    while todo:
        pid = todo.pop()
        if pid not in found and everything[pid].is_alive:
            found[pid] = None
            todo += [each.pid for each in everything.values() if each.parent == pid]
    return [*reversed(found)]


def _command(pid: int) -> str:
    """Return a process's command line; of our own what they do, not how they begin."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    begin = next((at for at, word in enumerate(words) if "nrunner.runners.entry" in word), None)
    if begin is None:
        return procfs.command_of(pid)
    return " ".join(["nrunner", *words[begin + 2 :]]).strip()


def _has_open(pid: int, path: str) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        wanted = os.stat(path)
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            if os.path.samestat(os.stat(f"{folder}/{name}"), wanted):
                return True
        except OSError:
            continue
    return False


def _is_held(folder: str) -> bool:
    # Shared: of those who only look none keeps out another.
    return not _try_lock(folder, fcntl.LOCK_SH, lambda: None)


def _try_lock(folder: str, how: int, act: Callable[[], None]) -> bool:
    """Have the lock while something is done, unless it is held, and return whether it was not."""
    try:
        fd = os.open(f"{folder}/lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True  # nobody has ever taken it
    try:
        is_ours = _lock(fd, how)
        if is_ours:
            act()
        return is_ours
    finally:
        os.close(fd)


def _lock(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(folder: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_PATIENCE)
        try:
            sock.connect(f"{folder}/socket")
        except OSError:
            return False
        return True


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
