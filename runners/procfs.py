"""What /proc says about processes: parents, sessions, commands, marks.

Not responsible for signals (``nrunner.runners.killing``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import lru_cache

from nrunner.record import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = [
    "Process",
    "boot_id",
    "catches",
    "children_of",
    "command_of",
    "ended_children",
    "mark_of",
    "own_children",
    "read_process",
    "snapshot",
    "tracer_of",
    "uptime",
    "uses",
    "wait_channel_of",
]


_WHOLE = 2048
"""Bytes that the kernel hands out at once, whatever file of /proc they are of."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """One process at one moment; pid and start together identify it until a reboot."""

    pid: int
    parent: int
    session: int
    state: str
    start: int
    """Clock ticks after boot."""
    cpu: int = 0
    """Clock ticks that it has computed."""
    group: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether it can still do anything (a zombie cannot)."""
        return self.state not in "ZX"

    @property
    def cpu_seconds(self) -> float:
        """How long it has computed."""
        return self.cpu / _TICKS

    def age(self, now: float) -> float:
        """Return how many seconds it has existed at second `now` after boot."""
        return max(0.0, now - self.start / _TICKS)


def read_process(pid: int) -> Optional[Process]:
    """Return one process, None if there is none with this pid."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The command's name stands in brackets and may hold anything, brackets and blanks too.
    fields = text[text.rfind(b")") + 2 :].split()
    cpu = int(fields[11]) + int(fields[12])
    parent, group, session = int(fields[1]), int(fields[2]), int(fields[3])
    return Process(pid, parent, session, fields[0].decode(), int(fields[19]), cpu, group)


def snapshot() -> dict[int, Process]:
    """Return all processes there are."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = read_process(int(name))
            if process is not None:
                found[process.pid] = process
    return found


def children_of(pid: int) -> list[int]:
    """Return the children of a single-threaded process."""
    try:
        # Called at the end of each attempt: a bare descriptor costs half of a file object.
        fd = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = b""
            while True:
                piece = os.read(fd, 1 << 16)
                text += piece
                if not piece:
                    return [int(word) for word in text.split()]
        finally:
            os.close(fd)
    except FileNotFoundError:
        # A kernel without CONFIG_PROC_CHILDREN.
        return [each.pid for each in snapshot().values() if each.parent == pid]
    except OSError:
        return []


def own_children() -> list[int]:
    """Return the children that the main thread of this process has made, or was left."""
    # Called at the end of each attempt: one call to the kernel instead of four.
    pid = os.getpid()
    try:
        text = os.pread(_own_list(pid), _WHOLE, 0)
    except OSError:
        return children_of(pid)
    # What is shorter than a page is all there is.
    return [int(word) for word in text.split()] if len(text) < _WHOLE else children_of(pid)


@lru_cache(maxsize=1)
def _own_list(pid: int) -> int:
    return os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)


def ended_children(pid: int) -> Optional[tuple[tuple[int, int], ...]]:
    """Return pid and wait status of the children that a process has not waited for yet.

    None if any of its children lives. A status is 0, too, where the kernel does not tell it.
    """
    found = []
    for child in _children_of_threads(pid):
        try:
            with open(f"/proc/{child}/stat", "rb") as file:
                text = file.read()
        except OSError:
            continue  # it was waited for just now
        fields = text[text.rfind(b")") + 2 :].split()
        if fields[0] not in (b"Z", b"X"):
            return None
        found.append((child, int(fields[49])))
    return tuple(sorted(found))


def _children_of_threads(pid: int) -> list[int]:
    """Return the children of a process, whichever of its threads has made them."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    if len(threads) == 1:
        return children_of(pid)
    found = []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(word) for word in file.read().split()]
        except FileNotFoundError:
            return [each.pid for each in snapshot().values() if each.parent == pid]
        except OSError:
            continue
    return found


def command_of(pid: int) -> str:
    """Return a process's command line, made printable and cut to a bearable length."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(4096).rstrip(b"\0").replace(b"\0", b" ")
        if not words:
            with open(f"/proc/{pid}/comm", "rb") as file:
                words = file.read().strip()
    except OSError:
        return ""
    text = words.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else "?" for char in text)[:200]


def mark_of(pid: int, name: str) -> Optional[str]:
    """Return the value of an environment variable that the process was started with."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            data = file.read()
    except OSError:
        return None
    head = name.encode() + b"="
    for entry in data.split(b"\0"):
        if entry.startswith(head):
            return entry[len(head) :].decode("utf-8", "replace")
    return None


def uses(pid: int, folder: str, pipes: Collection[str] = ()) -> bool:
    """Whether a process has a file in `folder` or one of `pipes` open, or works there."""
    links = [f"/proc/{pid}/cwd"]
    try:
        links += [f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    targets = [_target(link) for link in links]
    return any(each.startswith(folder + "/") or each in pipes for each in targets)


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal, and does not hold it back."""
    bit = 1 << (number - 1)
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            masks = dict(line.split(":", 1) for line in file if line.startswith("Sig"))
    except OSError:
        return False
    caught, held = (int(masks.get(name, "0"), 16) for name in ("SigCgt", "SigBlk"))
    return bool(caught & ~held & bit)


def uptime() -> float:
    """Return how many seconds ago this machine was booted, by the clock of `Process.start`."""
    with open("/proc/uptime", encoding="ascii") as file:
        return float(file.read().split()[0])


def tracer_of(pid: int) -> int:
    """Return the process that traces another one, as debuggers do; 0 if there is none."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"TracerPid:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def wait_channel_of(pid: int) -> str:
    """Return the kernel function in which a process sleeps, empty if it is not told."""
    try:
        with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
            name = file.read().strip()
    except OSError:
        return ""
    return "" if name == "0" else name


def boot_id() -> str:
    """Return what tells this boot of this machine from any other, empty if nothing does."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
