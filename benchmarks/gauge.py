"""Runs a command and measures it: wall time, CPU time, first output, and in a run apart, memory.

Looking at memory costs time, so it is looked at in a run of its own. It is taken from ``VmHWM`` and
``VmRSS`` of each process: ``ru_maxrss`` cannot tell a tool from its tests, since it is the largest
of a process and all its children, and begins with what the parent held when it started the process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.tool import Command

__all__ = ["Memory", "Run", "clean_environment", "run", "run_watched"]

_LIMIT = 1800.0
_LOOK_EVERY = 0.01
_SETTLED = 3
"""Looks in which a process must be there to count: tests of a millisecond are not the tool."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    seconds: float
    cpu: float
    first_output: float | None
    status: int
    output: str


@dataclass(slots=True)
class Memory:
    """Peaks in KiB: of the process that was started, of an agent below it, and of all together."""

    main: int = 0
    agent: int = 0
    whole: int = 0
    _looks: dict[int, int] = field(default_factory=dict)

    def look(self, root: int) -> None:
        """Note what is there now."""
        total = 0
        for pid in _tree(root, set(self._looks)):
            looks = self._looks[pid] = self._looks.get(pid, 0) + 1
            peak, now = _peak_and_now(pid)
            total += now
            if pid == root:
                self.main = max(self.main, peak)
            elif looks > _SETTLED and peak > self.agent and _is_agent(pid):
                self.agent = peak
        self.whole = max(self.whole, total)


def clean_environment(home: Path, temporary: Path, python: str) -> dict[str, str]:
    """Return the environment that all tools get: nothing of the caller's, and one interpreter."""
    return {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PATH": f"{Path(python).parent}:/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "USER": os.environ.get("USER", "user"),
    }


def run(command: Command, folder: Path, environment: dict[str, str]) -> Run:
    """Run a command in a folder and time it."""
    with _started(command, folder, environment) as (process, begin, log):
        first = _read_along(process, log, begin) if command.watch_output else None
        status, cpu = _wait(process)
        seconds = time.perf_counter() - begin
    return Run(seconds, cpu, first, status, log.read_text(errors="replace"))


def run_watched(command: Command, folder: Path, environment: dict[str, str]) -> Memory:
    """Run a command and look at its memory; nothing is timed."""
    memory = Memory()
    with _started(command, folder, environment) as (process, _, _log):
        while process.poll() is None:
            memory.look(process.pid)
            time.sleep(_LOOK_EVERY)
    return memory


@contextmanager
def _started(
    command: Command, folder: Path, environment: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], float, Path]]:
    log = folder / "output.log"
    with log.open("wb") as output, (command.stdin or Path(os.devnull)).open("rb") as stdin:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command.words,
            cwd=command.cwd or folder,
            env={**environment, **command.env},
            stdin=stdin,
            stdout=subprocess.PIPE if command.watch_output else output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with _bounded(lambda: os.killpg(process.pid, signal.SIGKILL)):
        yield process, begin, log


@contextmanager
def _bounded(stop: Callable[[], None]) -> Iterator[None]:
    timer = threading.Timer(_LIMIT, stop)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read_along(process: subprocess.Popen[bytes], log: Path, begin: float) -> float | None:
    """Write the output to the log; return when its first byte came."""
    first = None
    assert process.stdout is not None
    with process.stdout as output, log.open("wb") as file:
        while data := os.read(output.fileno(), 65536):
            first = first or time.perf_counter() - begin
            file.write(data)
    return first


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Wait for the end; return the exit status and the CPU time of the process and its children."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _tree(root: int, known: set[int]) -> set[int]:
    """Return the processes below `root`, and those seen there before that got another parent."""
    found: set[int] = set()
    rest = [root, *known]
    while rest:
        pid = rest.pop()
        if pid in found:
            continue
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                rest += map(int, (thread / "children").read_text().split())
        except OSError:
            continue
        found.add(pid)
    return found


def _peak_and_now(pid: int) -> tuple[int, int]:
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return 0, 0
    sizes = dict(line.split(":", 1) for line in status.splitlines() if line.startswith("Vm"))
    return _kib(sizes.get("VmHWM")), _kib(sizes.get("VmRSS"))


def _kib(text: str | None) -> int:
    return int(text.split()[0]) if text else 0


def _is_agent(pid: int) -> bool:
    try:
        return b"\0agent\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
