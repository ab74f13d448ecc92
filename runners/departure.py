"""Ending an agent from outside, and what it leaves: events nobody has heard, processes, its folder.

For one that was started detached and does not leave by itself any more, or is gone. An agent is
known by its process, which noted in its folder who it is. Not responsible for a lease, which ends
with its agent (`nrunner.runners.lease`).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time

from nrunner.runners import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["Witness", "last_words", "look", "remove", "sweep", "watch"]

_LEAVE_WITHIN = 4.0
_KILL_WITHIN = 3.0
_WATCHED_FOR = 20.0
_PAUSE = 0.02
_MARK = b"NRUNNER_ATTEMPT="


class Witness:
    """Sees the end of an agent's guardian, with which all that it started has ended."""

    def __init__(self, folder: str) -> None:
        self.pid, self._start, boot = _identity(folder)
        self._pidfd = -1
        if boot != procfs.boot_id():
            self.pid = 0
        if self.pid:
            try:
                self._pidfd = os.pidfd_open(self.pid)
            except (AttributeError, OSError):
                pass  # an old kernel, or it is gone, which the next look tells

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        process = procfs.read_process(self.pid) if self.pid else None
        return process is None or process.start != self._start or not process.is_alive

    def wait(self, seconds: float, *others: int) -> bool:
        """Wait for the end; return whether it came before one of the others was closed."""
        until = time.monotonic() + seconds
        poll = select.poll()
        for fd in others:
            poll.register(fd, 0)
        if self._pidfd >= 0:
            poll.register(self._pidfd, select.POLLIN)
        while not self.is_gone:
            left = until - time.monotonic()
            if left <= 0:
                return False
            pause = left if self._pidfd >= 0 else min(left, _PAUSE)
            if any(fd in others for fd, _ in poll.poll(pause * 1000)):
                return self.is_gone
        return True

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if not self.is_gone:
            try:
                os.kill(self.pid, number)
            except (ProcessLookupError, PermissionError):
                pass


def look(folder: str) -> tuple[dict[str, Any], bytes]:
    """Return whether an agent lives, its last words, and what it had still to say.

    If it is gone, who has the machine now is told, too.
    """
    is_there = os.path.isdir(folder)
    gone = Witness(folder).is_gone
    found = {"alive": not gone, "there": is_there, "token": _text(f"{folder}/token")}
    words: dict[str, Any] = {"boot_id": procfs.boot_id(), "log": last_words(folder)}
    if gone:
        from nrunner.runners.lease import look_at

        words["lease"] = look_at(os.path.dirname(os.path.dirname(folder)) + "/lease")
    lines = _spool(folder)
    return {**found, **words, "spool": lines is not None}, lines or b""


def watch(folder: str) -> tuple[dict[str, Any], bytes]:
    """Wait for the end of an agent, for a while and for as long as somebody asks; then look."""
    Witness(folder).wait(_WATCHED_FOR, 0)
    return look(folder)


def remove(folder: str) -> tuple[dict[str, Any], bytes]:
    """End an agent and all that it started, and remove its folder; return what `look` would."""
    witness = Witness(folder)
    witness.signal(signal.SIGTERM)
    witness.signal(signal.SIGCONT)
    if not witness.wait(_LEAVE_WITHIN):
        try:
            # It leads its session, and it has not ended: the group is its own.
            os.killpg(witness.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        witness.wait(_KILL_WITHIN)
    reply, lines = look(folder)
    if reply["there"]:
        from nrunner.runners.lease import forget
        from nrunner.runners.removal import remove_tree

        sweep(folder)
        remove_tree(folder)
        forget(os.path.dirname(os.path.dirname(folder)) + "/lease")
    return reply, lines


def sweep(folder: str) -> None:
    """Kill what attempts have left whose agent and guardian were killed, too."""
    from nrunner.runners.cgroup import remove_stale

    remove_stale()
    until = time.monotonic() + _KILL_WITHIN
    while (left := _of_attempts(folder)) and time.monotonic() < until:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(_PAUSE)


def last_words(folder: str) -> str:
    """Return the last line that an agent wrote for nobody in particular."""
    lines = _text(f"{folder}/agent.log").splitlines()
    return lines[-1][:500] if lines else ""


def _of_attempts(folder: str) -> list[int]:
    """Return the processes that have a mark, and the folder in their environment."""
    own = f"={folder}/".encode()
    found = []
    for process in procfs.snapshot().values():
        try:
            with open(f"/proc/{process.pid}/environ", "rb") as file:
                data = file.read()
        except OSError:
            continue
        if _MARK in data and own in data and process.is_alive:
            found.append(process.pid)
    return found


def _identity(folder: str) -> tuple[int, int, str]:
    try:
        found = json.loads(_text(f"{folder}/agent"))
        return int(found["pid"]), int(found["start"]), str(found["boot_id"])
    except (ValueError, LookupError, TypeError):
        return 0, 0, ""


def _spool(folder: str) -> Optional[bytes]:
    from nrunner.runners.mirror import read_mirror

    lines = read_mirror(f"{folder}/spool")
    return None if lines is None else b"".join(line + b"\n" for line in lines)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
