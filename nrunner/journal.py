"""The journal: everything that happens to a job, appended before it is acted on or shown.

One JSON object a line; each ends in the length and a checksum of what stands before that, so a torn
tail is found, and cut off when the journal is opened again. The records are listed in
docs/journal.md. All reports are made from it. A little of the disk is kept in reserve, so that what
happened last can be told on a full one. Not responsible for what a record means to the job
(``nrunner.history``).
"""

from __future__ import annotations

import contextlib
import enum
import errno
import json
import os
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec

from nrunner.errors import JournalError, JournalFull
from nrunner.results.base import TaskReport

__all__ = ["FORMAT", "Journal", "decoded", "read_records", "torn_copy"]

FORMAT = 2
"""Version of the format; a newer one is refused, an older one is read."""

_encoder = msgspec.json.Encoder()
_TAIL = b',"check":"%08x-%08x"}\n'
_TAIL_SIZE = len(_TAIL % (0, 0))
_TAIL_1 = b',"crc":"%08x"}\n'
"""As format 1 has it."""
_TAIL_1_SIZE = len(_TAIL_1 % 0)
_RESERVE = 1 << 16
_FULL = (errno.ENOSPC, errno.EDQUOT)
_KEPT = 100
"""Reports that are kept as they are: small jobs need not read their own."""
_EXACT = ("job", "planned")
"""Records that are needed again as they were, whatever is in them."""


class Access(enum.Enum):
    """How a journal is opened."""

    NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
    APPEND = os.O_RDWR
    READ = os.O_RDONLY


class _Settled(msgspec.Struct):
    report: TaskReport


@cache
def _decoder() -> msgspec.json.Decoder[_Settled]:
    # Making it takes as long as a small job does, which needs none.
    return msgspec.json.Decoder(_Settled)


class Journal:
    """An append-only file of records."""

    def __init__(self, path: Path, access: Access = Access.NEW) -> None:
        """Open a journal; raise JournalError if that cannot be done."""
        self.path = path
        self.torn: Path | None = None
        """Where the tail is that was cut off."""
        self._size = 0
        self._settled = array("q")
        self._kept: dict[int, TaskReport] = {}
        self._starts = array("q")
        self._wakers: list[Callable[[], None]] = []
        try:
            self._fd = os.open(path, access.value | os.O_CLOEXEC, 0o600)
        except OSError as error:
            what = "create" if access is Access.NEW else "open"
            raise JournalError(f"{what} the journal {path}: {error.strerror}") from error
        self._has_reserve = access is not Access.READ
        self._owns_end = access is Access.NEW
        """Whether what is behind our last record is nobody's; not while records are still read."""
        if self._has_reserve:
            self._reserve()

    @classmethod
    def reopen(cls, path: Path, visit: Callable[[dict[str, Any]], None]) -> Journal:
        """Open a journal to go on with; call `visit` with each of its records.

        A tail that cannot be believed is cut off, and kept beside the journal under the name
        `torn_copy` gives. Raise JournalError for a journal of a newer format, or none; whatever is
        raised, by `visit` too, has changed nothing.
        """
        journal = cls(path, Access.APPEND)
        try:
            journal._visit(visit)
            journal._cut_tail()
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def look_at(cls, path: Path, visit: Callable[[dict[str, Any]], None]) -> Journal:
        """Open a journal that may be another's, and change nothing; call `visit` as `reopen` does.

        What follows its last whole record is not seen.
        """
        journal = cls(path, Access.READ)
        try:
            journal._visit(visit)
        except BaseException:
            journal.close()
            raise
        return journal

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self._starts)

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records, in order, with one system call; raise JournalError if that fails.

        JournalFull says that they are written, but none will be after them.
        """
        bodies, is_exact = _encoded(records)
        lines = [body + _TAIL % (len(body), zlib.crc32(body)) for body in bodies]
        starts = [*accumulate(map(len, lines), initial=self._size)][:-1]
        full = self._write(b"".join(lines))
        self._starts.extend(starts)
        for record, start in zip(records, starts, strict=True):
            if record["type"] == "settled":
                self._note_settled(record["task"], start)
                if is_exact and len(self._kept) < _KEPT:
                    self._kept[record["task"]] = record["report"]
        for wake in tuple(self._wakers):
            wake()
        if full is not None:
            raise JournalFull(str(full)) from full

    def settled(self) -> Iterator[TaskReport]:
        """Yield the reports of all settled tasks, in order of their numbers, one at a time."""
        with self.path.open("rb") as file:
            for number, offset in enumerate(self._settled):
                if number in self._kept:
                    yield self._kept[number]
                elif offset >= 0:
                    file.seek(offset)
                    yield self._report_in(file.readline())

    def is_settled(self, number: int) -> bool:
        """Whether a task's report is in the journal."""
        return number < len(self._settled) and self._settled[number] >= 0

    def report_of(self, number: int) -> TaskReport | None:
        """Return the report of one task, None while it has none."""
        if not self.is_settled(number):
            return None
        if number in self._kept:
            return self._kept[number]
        offset = self._settled[number]
        with self.path.open("rb") as file:
            file.seek(offset)
            return self._report_in(file.readline())

    def _report_in(self, line: bytes) -> TaskReport:
        try:
            return _decoder().decode(line).report
        except msgspec.DecodeError as error:
            raise JournalError(f"read {self.path}: somebody else has written to it") from error

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
            if self._owns_end:
                self._undo()  # whatever is behind our last record
            if self._has_reserve:
                with contextlib.suppress(OSError):
                    self._reserve_path.unlink()
            os.close(self._fd)
            self._fd = -1

    def _note_settled(self, number: int, offset: int) -> None:
        missing = number + 1 - len(self._settled)
        if missing > 0:
            self._settled.extend([-1] * missing)
        self._settled[number] = offset

    def _visit(self, visit: Callable[[dict[str, Any]], None]) -> None:
        try:
            for record, line in _read(self.path):
                visit(record)
                self._count(record, len(line))
        except OSError as error:
            raise JournalError(f"read the journal {self.path}: {error.strerror}") from error

    def _count(self, record: Mapping[str, Any], size: int) -> None:
        self._starts.append(self._size)
        if record["type"] == "settled":
            self._note_settled(record["task"], self._size)
        self._size += size

    def _cut_tail(self) -> None:
        try:
            if os.fstat(self._fd).st_size > self._size:
                self.torn = torn_copy(self.path, self._size)
                with self.torn.open("wb") as copy, self.path.open("rb") as file:
                    file.seek(self._size)
                    while piece := file.read(1 << 20):
                        copy.write(piece)
                os.ftruncate(self._fd, self._size)
            self._owns_end = True
        except OSError as error:
            raise JournalError(f"mend the journal {self.path}: {error.strerror}") from error

    def _write(self, data: bytes) -> JournalError | None:
        """Write; return what is wrong if that took the reserve."""
        full = None
        try:
            self._write_all(data)
        except OSError as error:
            full = self._error(error)
            # What was written of it is torn: the next record must not follow on that.
            self._undo()
            if error.errno not in _FULL or not self._use_reserve(data):
                raise full from error
        self._size += len(data)
        return full

    def _undo(self) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._size)

    def _error(self, error: OSError) -> JournalError:
        return JournalError(f"write the journal {self.path}: {error.strerror}")

    def _write_all(self, data: bytes) -> None:
        # Behind our last record, wherever that is: what a test appended itself does not shift it.
        written = os.pwrite(self._fd, data, self._size)
        while written < len(data):
            written += os.pwrite(self._fd, data[written:], self._size + written)

    # Room for the last words on a full disk.

    @property
    def _reserve_path(self) -> Path:
        return self.path.with_name(f".{self.path.name}.reserve")

    def _reserve(self) -> None:
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
            fd = os.open(self._reserve_path, flags, 0o600)
            try:
                os.posix_fallocate(fd, 0, _RESERVE)
            finally:
                os.close(fd)

    def _use_reserve(self, data: bytes) -> bool:
        try:
            self._reserve_path.unlink()
            self._write_all(data)
        except OSError:
            self._undo()
            return False
        return True


def torn_copy(path: Path, size: int) -> Path:
    """Return where what was cut off a journal is kept: all that followed its first `size` bytes."""
    return path.with_name(f"{path.name}.torn-{size}")


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a journal up to the first that is torn or was changed.

    Raise JournalError if there is no journal, or one of a newer format.
    """
    try:
        for record, _ in _read(path):
            yield record
    except OSError as error:
        raise JournalError(f"read the journal {path}: {error.strerror}") from error


def _read(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    with path.open("rb") as file:
        for line in file:
            record = _checked(line)
            if record is None:
                return
            version = record.get("format", FORMAT)
            if type(version) is not int:
                raise JournalError(f"read {path}: its format is {version!r}")
            if version > FORMAT:
                raise JournalError(f"read {path}: its format {version} is newer than {FORMAT}")
            yield record, line


def _checked(line: bytes) -> dict[str, Any] | None:
    body = line[:-_TAIL_SIZE]
    if line[-_TAIL_SIZE:] != _TAIL % (len(body), zlib.crc32(body)):
        body = line[:-_TAIL_1_SIZE]
        if line[-_TAIL_1_SIZE:] != _TAIL_1 % zlib.crc32(body):
            return None
    record: dict[str, Any] = decoded(line)
    return record


def decoded(line: bytes) -> Any:
    """Return what a line says, or another piece of JSON that came from one; raise ValueError."""
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(line)  # a name that is no valid text
    except (ValueError, RecursionError):
        return None


def _encoded(records: Sequence[Mapping[str, Any]]) -> tuple[list[bytes], bool]:
    """Return each record as JSON, without the brace that closes it, and whether it is exact."""
    is_exact = True
    try:
        data = _encoder.encode_lines(records)
    except UnicodeEncodeError:
        is_exact = False
        data = b"".join(map(_encoded_carefully, records))
    return data.split(b"}\n")[:-1], is_exact  # no line of JSON has a newline in it


def _encoded_carefully(record: Mapping[str, Any]) -> bytes:
    """Return a line for a record in which there may be names that are no valid text."""
    try:
        return _encoder.encode(record) + b"\n"
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(record)
        if record["type"] in _EXACT:
            # Escapes that only Python's own decoder takes back.
            return json.dumps(plain, separators=(",", ":")).encode("ascii") + b"\n"
        # The others are told in a form that is valid text.
        return _encoder.encode(_as_text(plain)) + b"\n"


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_as_text(key): _as_text(each) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [_as_text(each) for each in value]
    return value
