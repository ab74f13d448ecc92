"""Control groups (version 2): a group for all that runs in an environment, which nothing leaves.

Whatever becomes of the agent and of its guardian, who is in the group can be found there and ended
with one write, forks in flight included. One group for the whole environment costs an attempt
nothing; one for each attempt would cost more than a short test does, since moving a process makes
the kernel wait until all processors have taken note. Not responsible for whose a process is
(``nrunner.runners.killing``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import enum
import errno
import os
import select
import signal
import time
from collections.abc import Callable

from nrunner.runners import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

__all__ = ["Group", "group_for", "own_folder", "remove_stale"]

_PREFIX = "nrunner"
_KILL_FOR = 5.0
_ABANDONED_AFTER = 60.0
"""Seconds after which an empty group is surely not about to be used."""


class Group:
    """A group that was made, or is about to be."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def make(self) -> bool:
        """Make it; return whether that was possible."""
        try:
            os.mkdir(self.folder, 0o755)
        except OSError:
            return False
        return True

    def take(self, pid: int) -> bool:
        """Move a process into it, 0 for this one; what it forks from then on is born there."""
        return _write(f"{self.folder}/cgroup.procs", str(pid))

    def has_me(self) -> bool:
        """Whether this process is in it."""
        return own_folder() == self.folder

    def leave(self) -> None:
        """Move this process to where the group was made."""
        _write(f"{os.path.dirname(self.folder)}/cgroup.procs", "0")

    def kill(self, within: float = _KILL_FOR) -> bool:
        """Kill all that is in it; return whether it is empty."""
        return self._wait(within, self._signal)

    def wait_empty(self, within: float) -> bool:
        """Wait until nobody is in it; return whether that is so."""
        return self._wait(within, lambda: None)

    def _wait(self, within: float, push: Callable[[], None]) -> bool:
        until = time.monotonic() + within
        try:
            events = os.open(f"{self.folder}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return True  # there is no such group any more
        try:
            while _is_populated(events):
                push()
                left = until - time.monotonic()
                if left <= 0:
                    return False
                _wait_for_change(events, min(left, 0.1))
        except OSError as error:
            return error.errno == errno.ENODEV  # it was removed meanwhile
        finally:
            os.close(events)
        return True

    def age(self) -> float:
        """Return how many seconds ago it was made, by the wall clock; 0 if that is not known."""
        try:
            return time.time() - os.stat(self.folder).st_mtime
        except OSError:
            return 0.0

    def remove(self) -> bool:
        """Remove it with the groups that were made inside; return whether it is gone."""
        for folder in self._folders():
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True

    def _signal(self) -> None:
        if _write(f"{self.folder}/cgroup.kill", "1"):
            return
        # A kernel before 5.14: one by one, until nobody forks any more.
        for folder in self._folders():
            try:
                with open(f"{folder}/cgroup.procs", encoding="ascii") as file:
                    pids = [int(line) for line in file]
            except OSError:
                continue
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue

    def _folders(self) -> Iterator[str]:
        """Yield the folders of the group, those inside first."""
        for folder, _, _ in os.walk(self.folder, topdown=False):
            yield folder


def group_for(guardian: int) -> Optional[Group]:
    """Return the group for what a guardian guards, None where there can be none.

    Its name says whose it is, so that whoever finds it later knows whether it is still guarded.
    """
    above, process = own_folder(), procfs.read_process(guardian)
    if above is None or process is None:
        return None
    return Group(f"{above}/{_PREFIX}-{_pid_space()}-{process.pid}-{process.start}")


def remove_stale(after: float = 0.0) -> None:
    """Kill what is left in groups whose guardian is gone, and remove them.

    Whoever is in there has `after` seconds to leave by himself.
    """
    above = own_folder()
    if above is None:
        return
    try:
        names = [name for name in os.listdir(above) if name.startswith(_PREFIX + "-")]
    except OSError:
        return
    for name in names:
        group = Group(f"{above}/{name}")
        whose = _whose(name)
        if whose is Whose.NOBODYS:
            group.wait_empty(after)
            if group.kill(1.0):
                group.remove()
        elif whose is Whose.ELSEWHERE and group.age() > _ABANDONED_AFTER:
            group.remove()  # that is possible only if nobody is in it


class Whose(enum.Enum):
    """Who guards a group."""

    SOMEBODYS = "somebody's"
    """A guardian that lives, or it is no group of an agent."""
    NOBODYS = "nobody's"
    """A guardian that is gone."""
    ELSEWHERE = "elsewhere"
    """A guardian whose pid means nothing here: nobody can tell whether it lives."""


def _whose(name: str) -> Whose:
    """Tell from the name of a group who guards it."""
    words = name.split("-")[1:]
    if len(words) != 3 or not all(word.isdigit() for word in words):
        return Whose.SOMEBODYS
    space, pid, start = map(int, words)
    if space != _pid_space() or space == 0:
        return Whose.ELSEWHERE
    process = procfs.read_process(pid)
    is_gone = process is None or process.start != start or not process.is_alive
    return Whose.NOBODYS if is_gone else Whose.SOMEBODYS


def _pid_space() -> int:
    """Return the number of the namespace in which our pids hold, 0 if it is not known."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def own_folder() -> Optional[str]:
    """Return the folder of the group that this process is in, None if it cannot be told."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            paths = [line[3:].rstrip("\n") for line in file if line.startswith("0::")]
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split() for line in file if " - cgroup2 " in line]
    except OSError:
        return None
    for path in paths:
        for fields in mounts:
            folder = _below(path, _unescaped(fields[3]), _unescaped(fields[4]))
            if folder is not None:
                return folder
    return None


def _below(path: str, root: str, point: str) -> Optional[str]:
    """Return where a group is seen below a mount point that shows the tree from `root` on."""
    root = root.rstrip("/")
    if ".." in path.split("/") or not (path + "/").startswith(root + "/"):
        return None  # outside of what is mounted here
    return (point.rstrip("/") + path[len(root) :]).rstrip("/") or None


def _unescaped(text: str) -> str:
    for code, char in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, char)
    return text


def _write(path: str, text: str) -> bool:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(file, text.encode())
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def _is_populated(events: int) -> bool:
    return b"populated 1" in os.pread(events, 256, 0)


def _wait_for_change(events: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(events, select.POLLPRI)
    poll.poll(seconds * 1000)
