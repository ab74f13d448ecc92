"""The life of a container's first process: watched through a pidfd, and how it ended.

The process is known for the container's by its parent, podman's monitor (``monitor``). Not
responsible for podman's own view of the container (``client``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from pathlib import Path

from nrunner.record import dataclass
from nrunner.spawners.podman.monitor import Monitor, monitor_of

__all__ = ["Counters", "Life"]

_CGROUPS = "/sys/fs/cgroup"


@dataclass(frozen=True, slots=True)
class Counters:
    """How often the kernel refused a container more than its limits."""

    oom_kills: int = 0
    refused_processes: int = 0


class Life:
    """A first process, held by its pidfd until it is gone."""

    def __init__(self, container: str, pid: int, pidfd: int, monitor: Monitor | None) -> None:
        self.pid = pid
        self.monitor = monitor
        self.counters = Counters()
        """At its end, as far as the kernel still told."""
        self.monitor_was_alive = True
        self._gone = asyncio.Event()
        self._pidfd: int | None = pidfd
        self._groups = _groups_of(container, pid)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pidfd, self._end)
        self._monitor_fd = None if monitor is None else monitor.open()
        if self._monitor_fd is not None:
            self._loop.add_reader(self._monitor_fd, self._lose_monitor)
        elif monitor is not None:
            self._lose_monitor()

    @classmethod
    def of(cls, container: str, pid: int) -> Life | None:
        """Return the life of a container whose first process is said to be `pid`.

        None if it is over, or if this is the process of something else by now.
        """
        try:
            pidfd = os.pidfd_open(pid)
        except (OSError, OverflowError):
            return None
        # The other way round the pid might become a stranger's in between.
        monitor = monitor_of(container, pid)
        if monitor is None and not _is_in_group(container, pid):
            os.close(pidfd)
            return None
        return cls(container, pid, pidfd, monitor)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._gone.is_set()

    @property
    def memory_group(self) -> str:
        """The folder of the control group that counts its memory, empty if there is none."""
        return self._groups.memory

    async def wait(self) -> None:
        """Wait for its end."""
        await self._gone.wait()

    def kill(self) -> None:
        """End it, and with it all that runs in its namespace."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Let go of it."""
        for fd in (self._pidfd, self._monitor_fd):
            if fd is not None:
                self._loop.remove_reader(fd)
                os.close(fd)
        self._pidfd = self._monitor_fd = None

    def _lose_monitor(self) -> None:
        """The monitor has ended: as it should after the process, or while that lives on."""
        fd, self._monitor_fd = self._monitor_fd, None
        if fd is not None:
            self._loop.remove_reader(fd)
            os.close(fd)
        self.monitor_was_alive = self._pidfd is None or _has_ended(self._pidfd)

    def _end(self) -> None:
        # At once: the group is removed some milliseconds later.
        self.counters = _counters(self._groups)
        self.close()
        self._gone.set()


def _has_ended(pidfd: int) -> bool:
    """Whether a process has ended, whether or not anybody has heard of it."""
    ready = select.poll()
    ready.register(pidfd, select.POLLIN)
    return bool(ready.poll(0))


def _is_in_group(container: str, pid: int) -> bool:
    """Whether a process is in the control group of a container, as far as it has one."""
    try:
        return container in Path(f"/proc/{pid}/cgroup").read_text("ascii")
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class _Groups:
    memory: str = ""
    pids: str = ""
    is_unified: bool = False


def _groups_of(container: str, pid: int) -> _Groups:
    """Return the folders of a container's own control groups that count what is limited."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text("utf-8", "replace").splitlines()
    except OSError:
        return _Groups()
    found: dict[str, str] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            # Where podman may make none, a container is in the group of who started it.
            found[controller] = path if container in path else ""
    if "memory" in found or "pids" in found:
        memory, pids = found.get("memory"), found.get("pids")
        return _Groups(
            f"{_CGROUPS}/memory{memory}" if memory else "",
            f"{_CGROUPS}/pids{pids}" if pids else "",
        )
    folder = f"{_CGROUPS}{found['']}" if found.get("") else ""
    return _Groups(folder, folder, is_unified=True)


def _counters(groups: _Groups) -> Counters:
    """Return what control groups counted; nothing of what is not there any more."""
    memory = "memory.events" if groups.is_unified else "memory.oom_control"
    return Counters(
        _counted(groups.memory, memory, "oom_kill"), _counted(groups.pids, "pids.events", "max")
    )


def _counted(folder: str, name: str, word: str) -> int:
    if folder:
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in Path(folder, name).read_text("ascii").splitlines():
                words = line.split()
                if words[0] == word:
                    return int(words[1])
    return 0
