"""The journal: everything that happens to a job, appended before it is acted on or shown.

One JSON object a line; each ends in a checksum of what stands before it, so a torn tail is found
and cut off when the journal is opened again. Records: ``job``, ``planned``, ``move``, ``met``,
``notice``, ``settled``, ``closed`` (see docs/journal.md). All reports are made from it.
Not responsible for what a record means to the job.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec

from nrunner.errors import JournalError
from nrunner.results.base import TaskReport

__all__ = ["FORMAT", "Journal", "read_records"]

FORMAT = 1
"""Version of the format; a newer one is refused, an older one is read."""

_encoder = msgspec.json.Encoder()
_TAIL = b',"crc":"%08x"}\n'
_TAIL_SIZE = len(b',"crc":"00000000"}')


class _Settled(msgspec.Struct):
    report: TaskReport


_settled = msgspec.json.Decoder(_Settled)


class Journal:
    """An append-only file of records."""

    def __init__(self, path: Path) -> None:
        """Open a new journal; raise JournalError if it cannot be written."""
        self.path = path
        self._size = 0
        self._settled = array("q")
        self._starts = array("q")
        self._wakers: list[Callable[[], None]] = []
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise JournalError(f"create the journal {path}: {error.strerror}") from error

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self._starts)

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records, in order, with one system call; raise JournalError if that fails."""
        bodies = _encoded(records)
        lines = [body + _TAIL % zlib.crc32(body) for body in bodies]
        starts = [*accumulate(map(len, lines), initial=self._size)][:-1]
        self._write(b"".join(lines))
        self._starts.extend(starts)
        for record, start in zip(records, starts, strict=True):
            if record["type"] == "settled":
                self._note_settled(record["task"], start)
        for wake in tuple(self._wakers):
            wake()

    def settled(self) -> Iterator[TaskReport]:
        """Yield the reports of all settled tasks, in order of their numbers, one at a time."""
        with self.path.open("rb") as file:
            for offset in self._settled:
                if offset >= 0:
                    file.seek(offset)
                    yield _settled.decode(file.readline()).report

    def is_settled(self, number: int) -> bool:
        """Whether a task's report is in the journal."""
        return number < len(self._settled) and self._settled[number] >= 0

    def report_of(self, number: int) -> TaskReport | None:
        """Return the report of one task, None while it has none."""
        if not self.is_settled(number):
            return None
        offset = self._settled[number]
        with self.path.open("rb") as file:
            file.seek(offset)
            return _settled.decode(file.readline()).report

    def lines(self, first: int, last: int) -> list[bytes]:
        """Return records `first` to `last` (exclusive, from 0) as they stand in the file."""
        if first >= last:
            return []
        end = self._starts[last] if last < len(self._starts) else self._size
        data = os.pread(self._fd, end - self._starts[first], self._starts[first])
        return data.splitlines()

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever there are new records, until the function returned is called."""
        self._wakers.append(wake)
        return lambda: self._wakers.remove(wake) if wake in self._wakers else None

    def sync(self) -> None:
        """Have all that was written reach the disk; raise JournalError if that fails."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise JournalError(f"save the journal {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Write no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _note_settled(self, number: int, offset: int) -> None:
        missing = number + 1 - len(self._settled)
        if missing > 0:
            self._settled.extend([-1] * missing)
        self._settled[number] = offset

    def _write(self, data: bytes) -> None:
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            # What was written of it is torn: the next record must not follow on that.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise JournalError(f"write the journal {self.path}: {error.strerror}") from error
        self._size += len(data)


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a journal up to the first that is torn or was changed.

    Raise JournalError if there is no journal, or one of a newer format.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                record = _checked(line)
                if record is None:
                    return
                if record.get("format", FORMAT) > FORMAT:
                    newer = record["format"]
                    raise JournalError(f"read {path}: its format {newer} is newer than {FORMAT}")
                yield record
    except OSError as error:
        raise JournalError(f"read the journal {path}: {error.strerror}") from error


def _checked(line: bytes) -> dict[str, Any] | None:
    body, tail = line[: -_TAIL_SIZE - 1], line[-_TAIL_SIZE - 1 :]
    if tail != _TAIL % zlib.crc32(body):
        return None
    record: dict[str, Any] = msgspec.json.decode(line)
    return record


def _encoded(records: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Return each record as JSON, without the brace that closes it."""
    try:
        data = _encoder.encode_lines(records)
    except UnicodeEncodeError:
        # A name that is no valid text: it is told in a form that is.
        data = _encoder.encode_lines([_as_text(msgspec.to_builtins(each)) for each in records])
    return data.split(b"}\n")[:-1]  # no line of JSON has a newline in it


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_as_text(key): _as_text(each) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [_as_text(each) for each in value]
    return value
