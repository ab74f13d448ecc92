"""The lock on a job's folder, and what it says of the job together with the control socket.

A controller holds the lock, a ``flock`` on the file ``lock``, for as long as it lives; the kernel
lets go of it however the controller ends. So a folder has one controller at most, and whether it
has one can be asked without a server. Not responsible for what a job does, nor for ending one.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from nrunner.errors import ResultsError
from nrunner.layout import JobFolder, id_of, short_id
from nrunner.record import dataclass, replace
from nrunner.runners.procfs import boot_id, read_process

__all__ = [
    "Holder",
    "JobHeld",
    "JobLock",
    "JobState",
    "JobStatus",
    "Stage",
    "held_status",
    "state_of",
    "wait_free",
]

_STARTING = 30.0
"""Seconds that a controller may take until its socket answers; long, for a machine may be slow."""
_CONNECTING = 1.0
_LOOKS = 50
_LOOK = 0.004
"""Seconds between two looks: who asks for a job's state has its lock for some microseconds, and a
process that was killed has what it held for some milliseconds."""


class JobHeld(ResultsError):
    """A job's folder has a controller already: says which, since when, and what can be done."""


class Stage(enum.Enum):
    """What a controller is at."""

    STARTING = "starting"
    """Its control socket may not be there yet."""
    SERVING = "serving"
    ENDING = "ending"
    """Its control socket may be gone already."""


class JobState(enum.Enum):
    """What has become of a job."""

    RUNNING = "running"
    BORKED = "borked"
    """Its controller lives but cannot be talked to."""
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    """Its controller is gone, and the job is not at its end."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that took a lock, as the lock's file names it."""

    pid: int
    start: int
    """Clock ticks after boot; with pid and boot it is this process and no other."""
    boot_id: str
    host: str
    since: float
    """Seconds since the epoch."""
    stage: Stage = Stage.STARTING

    @property
    def state(self) -> str:
        """The kernel's letter for its state; empty if it is gone, ``?`` if that cannot be seen."""
        if self.host != os.uname().nodename:
            return "?"
        process = read_process(self.pid) if self.boot_id == boot_id() else None
        if process is None or process.start != self.start or not process.is_alive:
            return ""
        return process.state

    def __str__(self) -> str:
        """Return it in words: where it is, and since when it has the lock."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {since}"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job's state, who holds its folder, and what can be done about it."""

    state: JobState
    holder: Holder | None = None
    """Who has the lock, or had it last."""
    reason: str = ""
    """What is wrong, in words; empty for a job that runs or is complete."""
    hint: str = ""
    """The command that helps; empty if none is needed."""
    is_stopped: bool = False
    """Whether the controller would go on if it were let."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen to the job any more, unless it is gone on with."""
        is_ending = self.holder is not None and self.holder.stage is Stage.ENDING
        return is_ending or self.state in (JobState.COMPLETE, JobState.INTERRUPTED)


class JobLock:
    """The lock on one job's folder, held by this process."""

    def __init__(self, fd: int, holder: Holder) -> None:
        self._fd = fd
        self._holder = holder

    @classmethod
    def take(cls, folder: JobFolder) -> JobLock:
        """Take the lock; raise JobHeld if another process has it, ResultsError if it cannot be."""
        path = folder.lock
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(path, flags, 0o600)
            try:
                if not _locked(fd):
                    raise _held(folder, _holder_in(fd))
                lock = cls(fd, _myself())
                lock._write()
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            raise ResultsError(f"lock the job's folder by {path}: {error.strerror}") from error
        return lock

    def tell(self, stage: Stage) -> None:
        """Let others know what this controller is at; a disk that is full costs only that."""
        self._holder = replace(self._holder, stage=stage)
        with contextlib.suppress(OSError):
            self._write()

    def _write(self) -> None:
        line = msgspec.json.encode(self._holder) + b"\n"
        os.pwrite(self._fd, line, 0)
        os.ftruncate(self._fd, len(line))

    def release(self) -> None:
        """Let go of the lock; the file stays and tells who had it last."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def state_of(folder: JobFolder) -> JobStatus:
    """Say what has become of a job; looks at its lock, socket and journal, and changes nothing."""
    status = _look_at(folder)
    # A controller that is just ending gives up one after the other.
    for _ in range(_LOOKS):
        if status.state is not JobState.BORKED or status.is_stopped:
            break
        time.sleep(_LOOK)
        status = _look_at(folder)
    return status


def _look_at(folder: JobFolder) -> JobStatus:
    try:
        fd = os.open(folder.lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return _over(folder, None)
    try:
        is_held = not _try_lock(fd, fcntl.LOCK_SH)
        holder = _holder_in(fd)
    finally:
        os.close(fd)
    if not is_held:
        return _over(folder, holder)
    process = "" if holder is None else holder.state
    answers = _answers(folder.control_socket)
    return held_status(folder, holder, process, time.time(), answers=answers)


def wait_free(folder: JobFolder, timeout: float | None = None) -> bool:
    """Wait until no controller has a job; return False if that takes too long.

    For the main thread of a command: an alarm bounds the wait.
    """
    try:
        fd = os.open(folder.lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise ResultsError(f"wait for {folder.root}: {error.strerror}") from error
    try:
        with _alarm(timeout):
            fcntl.flock(fd, fcntl.LOCK_SH)
    except _TooLong:
        return False
    finally:
        os.close(fd)
    return True


class _TooLong(Exception):
    """A wait has lasted long enough."""


@contextlib.contextmanager
def _alarm(timeout: float | None) -> Iterator[None]:
    """Raise _TooLong in the block when it has lasted for so many seconds."""
    if timeout is None:
        yield
        return

    def ring(_number: int, _frame: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(timeout, 1e-6))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def held_status(
    folder: JobFolder, holder: Holder | None, process: str, now: float, *, answers: bool
) -> JobStatus:
    """Judge a job whose lock is held by a process in this state; `answers`: its socket does."""
    if holder is None:
        reason = "its lock is held by a process that has not said who it is"
        return JobStatus(JobState.BORKED, None, reason, f"fuser -v {folder.lock}")
    if not process:
        reason = f"its lock was taken by {holder}, which is gone; another process holds it on"
        return JobStatus(JobState.BORKED, holder, reason, f"fuser -v {folder.lock}")
    if process in "Tt":
        reason = f"its controller is stopped: {holder}"
        return JobStatus(JobState.BORKED, holder, reason, f"kill -CONT {holder.pid}", True)
    is_new = holder.stage is Stage.STARTING and abs(now - holder.since) < _STARTING
    if answers or is_new or holder.stage is Stage.ENDING:
        return JobStatus(JobState.RUNNING, holder)
    reason = f"its control socket is dead, but its lock is held by {holder}"
    return JobStatus(JobState.BORKED, holder, reason, f"kill -KILL {holder.pid}")


def _over(folder: JobFolder, holder: Holder | None) -> JobStatus:
    from nrunner.progress import closing_of  # a job that runs need not load it

    closing = closing_of(folder.journal)
    wants_none = any(each.get("json") is False for each in closing)
    has_results = wants_none or folder.report("results.json").exists()
    # Without a journal there is nothing to go on with.
    if has_results and (closing or not folder.journal.exists()):
        return JobStatus(JobState.COMPLETE, holder)
    reason = "its controller is gone before the job's end"
    job_id = id_of(folder)
    hint = f"nrunner jobs resume {short_id(job_id)}" if job_id else ""
    return JobStatus(JobState.INTERRUPTED, holder, reason, hint)


def _locked(fd: int) -> bool:
    """Take the lock for good, unless somebody else does more than to look at it, or to end."""
    for _ in range(_LOOKS):
        if _try_lock(fd, fcntl.LOCK_EX):
            return True
        time.sleep(_LOOK)
    return False


def _try_lock(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _myself() -> Holder:
    pid = os.getpid()
    process = read_process(pid)
    start = 0 if process is None else process.start
    return Holder(pid, start, boot_id(), os.uname().nodename, time.time())


def _holder_in(fd: int) -> Holder | None:
    """Read who took the lock; None while that is being written."""
    try:
        line = os.pread(fd, 4096, 0).partition(b"\n")[0]
        return msgspec.json.decode(line, type=Holder)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def _held(folder: JobFolder, holder: Holder | None) -> JobHeld:
    who = "a process that has not said who it is" if holder is None else str(holder)
    return JobHeld(
        f"take the job {folder.root}: it is held by {who}; end that first (nrunner jobs cancel),"
        " or see nrunner jobs show"
    )


def _answers(path: Path | None) -> bool:
    """Whether somebody accepts connections at a socket."""
    if path is None:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(_CONNECTING)
        try:
            peer.connect(os.fspath(path))
        except (OSError, ValueError):
            return False
    return True
