"""Writing report files: those in the job's folder and those that were asked for.

A report that cannot be written changes no verdict: it is told, and the others are written.
Not responsible for formats (``nrunner.results``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from nrunner.errors import NrunnerError
from nrunner.layout import JobFolder
from nrunner.plan import ReportTarget
from nrunner.results.base import JobReport, ResultWriter, TaskReport
from nrunner.results.registry import find_writer

__all__ = ["Settled", "write_reports"]


_FEW = 2000
"""Tasks whose reports may be in memory at once: reading them takes as long as writing a format."""


class Settled(Protocol):
    """What reports are made of: a journal, or several."""

    def settled(self) -> Iterable[TaskReport]:
        """Return the reports of all settled tasks, in order of their numbers."""
        ...


class _Remembered:
    """Reports of a job that is not large: read once, and kept for the next writer."""

    def __init__(self, source: Settled) -> None:
        self._source = source
        self._tasks: list[TaskReport] | None = None

    def settled(self) -> Iterable[TaskReport]:
        if self._tasks is None:
            self._tasks = list(self._source.settled())
        return iter(self._tasks)


def write_reports(
    writers: Sequence[str],
    reports: Sequence[ReportTarget],
    folder: JobFolder,
    job: JobReport,
    journal: Settled,
) -> Iterator[str]:
    """Write reports: those of `writers` into the job's folder, and others where they are wanted.

    Yield in words what could not be written.
    """
    source = _Remembered(journal) if job.total <= _FEW else journal
    wanted = [(report.writer, report.target) for report in reports]
    # The one by which a job is known to be complete comes last.
    wanted += [(name, "") for name in sorted(writers, key=lambda name: name == "json")]
    for name, target in wanted:
        try:
            writer = find_writer(name)
            path = target or str(folder.report(writer.file_name))
            _write(writer, path, job, source)
        except (NrunnerError, OSError) as error:
            yield f"could not write the report {name!r} to {target or folder.root}: {error}"
        except Exception as error:  # a plugin may do anything wrong, the others go on
            yield f"report {name!r} failed: {type(error).__name__}: {error}"


def _write(writer: ResultWriter, path: str, job: JobReport, journal: Settled) -> None:
    if path == "-":
        try:
            writer.write(job, journal.settled(), sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has gone: nobody is left to be told, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    with _replaced(Path(path)) as stream:
        writer.write(job, journal.settled(), stream)


@contextmanager
def _replaced(path: Path) -> Iterator[IO[str]]:
    """Open a file that appears, whole, in place of `path` once the block ends well.

    What is more than a file is written to as it is.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        # A pipe or a device cannot be replaced, and a link (/dev/fd/3) is none of ours.
        with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            yield stream
        return
    spare = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with spare.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            yield stream
        spare.replace(path)
    finally:
        spare.unlink(missing_ok=True)
