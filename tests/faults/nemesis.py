"""Random faults against the processes of a real job: what they are, and how each is made.

A fault lasts for a while and is taken back, but for kills. Not responsible for when one comes, nor
for what has to hold afterwards (``campaign``).
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nrunner.journal import read_records
from nrunner.runners.procfs import children_of

__all__ = ["Nemesis", "Target"]

_PIDS = Path("/sys/fs/cgroup/pids")
_SMALL = 1 << 30
"""Larger file systems are not filled: they are somebody else's, too."""
_HOG = "while True: pass"


class Target:
    """The processes of a job that runs."""

    def __init__(self, controller: int, journal: Path, disk: Path, clock: Path) -> None:
        self.controller = controller
        self.journal = journal
        self.disk = disk
        """A folder on the file system that the job's results are on."""
        self.clock = clock
        """The file that says how far off the clock is."""

    @property
    def guardian(self) -> int:
        """The process above the agent, 0 if there is none that is known."""
        if not self.journal.exists():
            return 0
        found = [each for each in read_records(self.journal) if each["type"] == "environment"]
        pid: int = found[-1]["address"]["pid"] if found else 0
        return pid if pid and Path(f"/proc/{pid}").exists() else 0

    @property
    def agent(self) -> int:
        """The agent's process, 0 if there is none that is known."""
        guardian = self.guardian
        return next(iter(children_of(guardian)), 0) if guardian else 0


class Nemesis:
    """Strikes at random; the same seed strikes in the same order."""

    def __init__(
        self, chance: random.Random, disk: Path, only: frozenset[str] = frozenset()
    ) -> None:
        """`disk` is a folder on the file system that is filled."""
        self._chance = chance
        self.left_out = _left_out(disk)
        names = [name for name in self._faults if not only or name in only]
        self.names = [name for name in names if name not in self.left_out]
        self.struck: list[str] = []
        self.spare: frozenset[str] = frozenset()
        """Faults that are not made now."""

    def strike(self, target: Target) -> str:
        """Make one fault, for as long as it lasts; return its name."""
        name = self._chance.choice([each for each in self.names if each not in self.spare])
        self.struck.append(name)
        with contextlib.suppress(ProcessLookupError):
            self._faults[name](self, target)
        return name

    def _while(self) -> None:
        time.sleep(self._chance.uniform(0.05, 0.8))

    # One for each fault.

    def _kill_controller(self, target: Target) -> None:
        os.kill(target.controller, signal.SIGKILL)

    def _kill_agent(self, target: Target) -> None:
        _kill(target.agent)

    def _kill_guardian(self, target: Target) -> None:
        _kill(target.guardian)

    def _kill_controller_and_agent(self, target: Target) -> None:
        agent = target.agent
        os.kill(target.controller, signal.SIGKILL)
        _kill(agent)

    def _end_agent(self, target: Target) -> None:
        _kill(target.agent, signal.SIGTERM)

    def _stop_controller(self, target: Target) -> None:
        self._stop(target.controller)

    def _stop_agent(self, target: Target) -> None:
        self._stop(target.agent)

    def _stop(self, pid: int) -> None:
        if pid:
            os.kill(pid, signal.SIGSTOP)
            try:
                self._while()
            finally:
                os.kill(pid, signal.SIGCONT)

    def _fill_disk(self, target: Target) -> None:
        filler = target.disk / "filler"
        try:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 16))
            self._while()
        finally:
            filler.unlink(missing_ok=True)

    def _take_descriptors(self, target: Target) -> None:
        with contextlib.suppress(OSError):
            if not _has_open(target.controller, target.journal.resolve()):
                return  # an interpreter that begins without files says so in its own way
            for pid in filter(None, (target.controller, target.agent)):
                with _few_files(pid, self._chance.randint(0, 6)):
                    self._while()

    def _refuse_forks(self, target: Target) -> None:
        agent = target.agent
        if agent:
            with contextlib.suppress(OSError), _few_processes(agent, self._chance.randint(0, 3)):
                self._while()

    def _hog_processors(self, _target: Target) -> None:
        hogs = [subprocess.Popen([sys.executable, "-c", _HOG]) for _ in range(3)]
        self._while()
        for hog in hogs:
            hog.kill()
            hog.wait()

    def _turn_clock(self, target: Target) -> None:
        spare = target.clock.with_name("clock-to-be")
        spare.write_text(f"{self._chance.choice((-86400, -3, 60, 86400)):+d}\n")
        spare.replace(target.clock)  # somebody reads it all the time

    _faults: dict[str, Callable[[Nemesis, Target], None]] = {  # noqa: RUF012 - never changed
        "kill controller": _kill_controller,
        "kill agent": _kill_agent,
        "kill guardian": _kill_guardian,
        "kill both": _kill_controller_and_agent,
        "end agent": _end_agent,
        "stop controller": _stop_controller,
        "stop agent": _stop_agent,
        "disk": _fill_disk,
        "files": _take_descriptors,
        "pids": _refuse_forks,
        "processors": _hog_processors,
        "clock": _turn_clock,
    }


def _left_out(disk: Path) -> dict[str, str]:
    """Return the faults that cannot be made here, and why."""
    found = {}
    size = os.statvfs(disk)
    if size.f_blocks * size.f_frsize > _SMALL:
        found["disk"] = "the results are not on a small file system of their own"
    if not os.access(_PIDS, os.W_OK):
        found["pids"] = "no cgroup for pids can be made"
    return found


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    if pid:
        os.kill(pid, number)


def _has_open(pid: int, path: Path) -> bool:
    links = Path(f"/proc/{pid}/fd").iterdir()
    return any(link.readlink() == path for link in links)


@contextmanager
def _few_files(pid: int, more: int) -> Iterator[None]:
    """Let a process open no more than so many files beside those it has."""
    now = len([*Path(f"/proc/{pid}/fd").iterdir()])
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(now + more, hard), hard))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _few_processes(pid: int, more: int) -> Iterator[None]:
    """Let a process and those below it be no more than so many beside those there are."""
    group = _PIDS / f"nemesis-{pid}"
    group.mkdir()
    try:
        (group / "cgroup.procs").write_text(str(pid))
        (group / "pids.max").write_text(str(1 + more))
        yield
    finally:
        for each in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (_PIDS / "cgroup.procs").write_text(each)
        with contextlib.suppress(OSError):
            group.rmdir()
