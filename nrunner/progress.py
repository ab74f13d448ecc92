"""How far a job is, as its journal tells: what was planned, the verdicts so far, and the end.

Reads no more of each record than it needs. Not responsible for jobs that can be asked
(``nrunner.control``), nor for going on with one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from nrunner.errors import JournalError
from nrunner.journal import decoded
from nrunner.record import dataclass
from nrunner.result import Result

__all__ = ["Progress", "SettledTask", "closing_of", "exit_code_of", "progress_of"]


class SettledTask(msgspec.Struct, frozen=True):
    """What is told of a task in a line."""

    number: int
    id: str
    result: Result
    detail: str = ""


class _Record(msgspec.Struct):
    """What matters here of any record."""

    type: str
    total: int = 0
    wall: float = 0.0
    report: SettledTask | None = None


_TAIL = 1 << 16
_decoder = msgspec.json.Decoder(_Record)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    start: float
    """Seconds since the epoch."""
    total: int
    settled: tuple[SettledTask, ...]
    """In the order in which they were settled."""

    @property
    def tally(self) -> dict[Result, int]:
        """Tasks per result."""
        counts = dict.fromkeys(Result, 0)
        for task in self.settled:
            counts[task.result] += 1
        return counts


def progress_of(journal: Path) -> Progress:
    """Read how far a job is; raise JournalError if its journal does not tell."""
    head: _Record | None = None
    settled: dict[int, SettledTask] = {}
    for record in _records(journal):
        if record.type == "job":
            head = record
        elif record.type == "settled" and record.report is not None:
            settled[record.report.number] = record.report
    if head is None:
        raise JournalError(f"read the journal {journal}: it does not say what was planned")
    return Progress(head.wall, head.total, tuple(settled.values()))


def closing_of(journal: Path) -> list[dict[str, Any]]:
    """Return a journal's records from the one that closes the job on; none if none does.

    Reads the end of the file alone.
    """
    found: list[dict[str, Any]] = []
    for line in _last_lines(journal):
        try:
            record = decoded(line)
            kind = record["type"]
        except (ValueError, TypeError, KeyError):
            continue  # torn, or the rest of a line
        if kind == "resumed":
            found.clear()
        elif found or kind == "closed":
            found.append(record)
    return found


def exit_code_of(journal: Path) -> int | None:
    """Return the exit code of a job, None if its journal does not close it."""
    codes = [each["exit_code"] for each in closing_of(journal) if "exit_code" in each]
    return int(codes[-1]) if codes else None


def _last_lines(journal: Path) -> list[bytes]:
    try:
        with journal.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            return file.read().splitlines()
    except OSError:
        return []


def _records(journal: Path) -> Iterator[_Record]:
    try:
        with journal.open("rb") as file:
            for line in file:
                # What cannot be read is the torn end of a job that was killed, or tells no verdict.
                try:
                    yield _decoder.decode(line)
                except msgspec.MsgspecError:
                    continue
    except OSError as error:
        raise JournalError(f"read the journal {journal}: {error.strerror}") from error
