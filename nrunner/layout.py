"""Names of a job's folders and files, and making and finding them.

A job's folder is readable by its user alone (mode 0700): logs of tests hold whatever the tests
print. Sockets do not live in it, since their paths may be no longer than about 100 bytes.
Not responsible for what is in the files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nrunner.errors import ResultsError, UsageError
from nrunner.record import dataclass

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "JobFolder",
    "JobNotFound",
    "attempt_folder_name",
    "categorize",
    "create_job_folder",
    "find_job",
    "id_of",
    "link_control",
    "list_jobs",
    "new_job_id",
    "outside",
    "runtime_folder",
    "runtime_parents",
    "short_id",
    "task_folder_name",
]

_LATEST = "latest"
_NAME_LIMIT = 120
_SOCKET_ROOM = 64
"""What a runtime folder's path may take of the 107 bytes of a socket's path."""


class JobNotFound(ResultsError, UsageError):
    """A name fits no job, or more than one: names the nearest."""


@dataclass(frozen=True)
class JobFolder:
    """The names inside one job's folder."""

    root: Path

    @property
    def id_file(self) -> Path:
        """Holds the job's id, and is the mark of a job's folder."""
        return self.root / "id"

    @property
    def log(self) -> Path:
        """The job's own log, for people."""
        return self.root / "job.log"

    @property
    def console_log(self) -> Path:
        """What a job without a terminal of its own would have printed."""
        return self.root / "console.log"

    @property
    def journal(self) -> Path:
        """Everything that happened; all reports can be made from it."""
        return self.root / "journal.jsonl"

    @property
    def lock(self) -> Path:
        """Held, by a ``flock``, by the controller of a job that runs."""
        return self.root / "lock"

    @property
    def mishaps(self) -> Path:
        """Tracebacks of errors that nobody foresaw and that did not end the job."""
        return self.root / "mishaps.txt"

    @property
    def test_results(self) -> Path:
        """Holds one folder for each task, named by `task_folder_name`."""
        return self.root / "test-results"

    @property
    def jobdata(self) -> Path:
        """Holds what the job was asked to do, for people who know Avocado."""
        return self.root / "jobdata"

    @property
    def sysinfo(self) -> Path:
        """Holds what was collected of the system, before (``pre``) and after the job (``post``)."""
        return self.root / "sysinfo"

    @property
    def spools(self) -> Path:
        """Holds what agents have to say, until the journal has it."""
        return self.root / ".spools"

    @property
    def control_link(self) -> Path:
        """A symbolic link to the control socket of a job that runs."""
        return self.root / "control"

    @property
    def job_id(self) -> str:
        """The id as read from the folder."""
        return self.id_file.read_text(encoding="ascii", errors="replace").strip()

    @property
    def control_socket(self) -> Path | None:
        """Where the job can be talked to while it runs; None if it never could."""
        try:
            return self.control_link.readlink()
        except OSError:
            return None

    def report(self, name: str) -> Path:
        """Return the path of the report file `name` (``results.json``)."""
        return self.root / name


def new_job_id() -> str:
    """Return a new random id of 40 hexadecimal digits."""
    return os.urandom(20).hex()


def short_id(job_id: str) -> str:
    """Return as much of an id as people are asked to type."""
    return job_id[:12]


_UNSAFE = re.compile(r"[^A-Za-z0-9._+=,@%~-]")


def task_folder_name(number: int, task_id: str) -> str:
    """Return a file name for a task that is safe, and differs from that of any other number.

    ASCII only, since agents elsewhere may have another file system encoding. What is longer than
    120 bytes is cut and ends in a checksum of the whole id.
    """
    name = _UNSAFE.sub("_", task_id[: _NAME_LIMIT + 1])
    lead = str(number)
    head = name[: name.find("-") + 1]
    if head.lstrip("0") != lead + "-":
        name = f"{lead}-{name}"
    if len(name) <= _NAME_LIMIT:
        return name
    checksum = zlib.crc32(task_id.encode("utf-8", "surrogatepass"))
    return f"{name[: _NAME_LIMIT - 9]}-{checksum:08x}"


def attempt_folder_name(number: int, task_id: str, attempt: int) -> str:
    """Return the folder of one attempt: the task's own, or below it for what is tried again."""
    name = task_folder_name(number, task_id)
    return name if attempt <= 1 else f"{name}/attempt-{attempt}"


def create_job_folder(base: Path, job_id: str, now: datetime) -> JobFolder:
    """Make a job's folder under `base`, write its id, and point ``latest`` at it.

    `base` is made with its parents if need be. Raise ResultsError if results cannot be written.
    """
    try:
        base.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = JobFolder(_make_new(base, f"job-{now:%Y-%m-%dT%H.%M}-", job_id))
    except (OSError, ValueError) as error:
        raise ResultsError(f"write results into {_shown(base)}: {_reason(base, error)}") from error
    try:
        folder.id_file.touch(0o600)
        folder.id_file.write_text(job_id + "\n", encoding="ascii")
        folder.test_results.mkdir(mode=0o700)
    except OSError as error:
        _remove_empty(folder)
        raise ResultsError(f"write results into {_shown(base)}: {_reason(base, error)}") from error
    _point_latest(base, folder.root.name)
    return folder


def _make_new(base: Path, prefix: str, job_id: str) -> Path:
    for tail in _tails(job_id):
        root = base / (prefix + tail)
        with contextlib.suppress(FileExistsError):
            root.mkdir(mode=0o700)
            return root
    raise FileExistsError(errno.EEXIST, "there is a folder for this job already", str(root))


def _tails(job_id: str) -> Iterator[str]:
    """Seven digits as Avocado has them; more only where another job took that name."""
    yield job_id[:7]
    yield job_id[:12]
    yield job_id


def _remove_empty(folder: JobFolder) -> None:
    with contextlib.suppress(OSError):
        folder.id_file.unlink(missing_ok=True)
        folder.root.rmdir()


def _point_latest(base: Path, name: str) -> None:
    """Replace the link in one step; a file system without links costs only the convenience."""
    spare = base / f".latest-{name}"
    with contextlib.suppress(OSError):
        spare.symlink_to(name)
        try:
            spare.replace(base / _LATEST)
        except OSError:
            spare.unlink()


def categorize(folder: JobFolder, category: str) -> None:
    """Put a link to a job into a folder beside those of jobs; raise ResultsError."""
    place = folder.root.parent / category
    try:
        place.mkdir(mode=0o755, exist_ok=True)
        (place / folder.root.name).symlink_to(Path("..") / folder.root.name)
    except OSError as error:
        reason = _reason(place, error)
        raise ResultsError(f"put a link to the job into {_shown(place)}: {reason}") from error


_REASONS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENAMETOOLONG: "the path is too long",
    errno.ELOOP: "its symbolic links go in a circle",
    errno.ENOENT: "the folder above it does not exist and cannot be made",
}


def _reason(base: Path, error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "it is not a valid path"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        for path in (base, *base.parents):
            if path.exists() and not path.is_dir():
                return f"{_shown(path)} is not a folder"
            if path.is_symlink() and not path.exists():
                return f"{_shown(path)} is a link to nowhere"
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def _shown(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() else repr(text)


def list_jobs(base: Path) -> list[JobFolder]:
    """Return the jobs under `base`, oldest first; none if there is no such folder."""
    found: list[tuple[str, int, str]] = []
    try:
        names = [path.name for path in base.iterdir() if path.name.startswith("job-")]
    except OSError:
        return []
    for name in names:
        with contextlib.suppress(OSError):
            made = (base / name / "id").stat().st_mtime_ns
            found.append((name[: len("job-2026-11-22T10.15")], made, name))
    return [JobFolder(base / name) for _, _, name in sorted(found)]


def outside(base: Path, jobs: Iterable[JobFolder]) -> list[JobFolder]:
    """Return those jobs that are not in `base`, however that is written."""
    place = os.path.realpath(base)
    return [job for job in jobs if os.path.realpath(job.root.parent) != place]


def find_job(base: Path, name: str, elsewhere: Sequence[JobFolder] = ()) -> JobFolder:
    """Return the job meant by ``latest``, a folder's name or path, or the start of an id.

    `elsewhere` are jobs to be looked at beside those in `base`.
    """
    direct = _direct(base, name)
    if direct is not None:
        return direct
    jobs = [*list_jobs(base), *outside(base, elsewhere)]
    ids = [id_of(job) for job in jobs]
    names = [job.root.name for job in jobs]
    fitting = [
        job
        for job, *known in zip(jobs, ids, names, strict=True)
        if name and any(each.startswith(name) for each in known)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        some = _some([job.root.name for job in fitting])
        raise JobNotFound(f"tell which job {name!r} is: {some} all fit")
    import difflib

    near = difflib.get_close_matches(name, [*ids, *names], n=1, cutoff=0.5)
    hint = f" (nearest: {near[0]})" if near else ""
    raise JobNotFound(f"find a job {name!r} in {_shown(base)}{hint}")


def _direct(base: Path, name: str) -> JobFolder | None:
    if not name or "\0" in name:
        return None
    folder = JobFolder((Path(name) if "/" in name else base / name).resolve())
    with contextlib.suppress(OSError):
        if folder.id_file.is_file():
            return folder
    return None


def id_of(job: JobFolder) -> str:
    """Return a job's id; empty if its folder does not tell."""
    try:
        return job.job_id
    except OSError:
        return ""


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def link_control(folder: JobFolder, socket: Path) -> None:
    """Let `folder` tell others where the job's control socket is; raise ResultsError."""
    try:
        folder.control_link.unlink(missing_ok=True)
        folder.control_link.symlink_to(socket)
    except OSError as error:
        raise ResultsError(f"link {_shown(folder.control_link)}: {error.strerror}") from error


def runtime_folder(job_id: str) -> Path:
    """Make and return a folder for a job's sockets: private, and with a short path.

    The first of XDG_RUNTIME_DIR, TMPDIR, /tmp and /var/tmp that will do; raise ResultsError.
    """
    refused: list[str] = []
    for parent in runtime_parents():
        folder = parent / job_id[:12]
        if len(os.fsencode(folder)) > _SOCKET_ROOM:
            refused.append(f"{parent}: path too long for a socket")
            continue
        try:
            _make_private(parent)
            _make_private(folder)
            _check_room(folder)
        except OSError as error:
            refused.append(f"{parent}: {error.strerror}")
            continue
        return folder
    raise ResultsError(f"make a private folder for sockets ({'; '.join(refused)})")


def runtime_parents() -> Iterator[Path]:
    """Yield the folders in which those of jobs' sockets may be made, the best first."""
    user = os.geteuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    # Under sudo it may still be another user's.
    with contextlib.suppress(OSError):
        if runtime.startswith("/") and Path(runtime).stat().st_uid == user:
            yield Path(runtime) / "nrunner"
    for temporary in (os.environ.get("TMPDIR", ""), "/tmp", "/var/tmp"):
        if temporary.startswith("/"):
            yield Path(temporary) / f"nrunner-{user}"


def _check_room(folder: Path) -> None:
    """Raise OSError if nothing can be written there, as on a small file system in memory."""
    probe = folder / f".room-{os.getpid()}"
    try:
        probe.write_bytes(b"x")
    except OSError:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
            folder.rmdir()
        raise
    probe.unlink()


def _make_private(folder: Path) -> None:
    """Make `folder`, or take it if nobody else could have put something in it."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "belongs to somebody else")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError(errno.EPERM, "is open to others")
