"""What is fuzzed: each reader of something that others may have written, and what must hold of it.

A target is a strategy and a check. Checks are run by pytest for a moment (``test_fuzz``) and, with
a seed, for as long as is wanted (``soak_fuzz``). Not responsible for how often.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from nrunner.agentevent import translate
from nrunner.environment import Environment
from nrunner.errors import JournalError, MessageError, NrunnerError, UsageError
from nrunner.event import Begin, Started, Triaged
from nrunner.history import History
from nrunner.journal import Journal, read_records
from nrunner.layout import JobFolder
from nrunner.limits import Limits
from nrunner.lock import state_of
from nrunner.machine import Machine
from nrunner.messages import dump, parse
from nrunner.reporter import JobClock, Reporter
from nrunner.results.base import JobReport
from nrunner.runnable import Runnable
from nrunner.runners import line as line_module
from nrunner.runners.line import Budget, Lines
from nrunner.runners.long_line import LongLine
from nrunner.runners.spool import read_remains
from nrunner.runners.wire import FrameReader, encode
from nrunner.status.decoder import decode
from nrunner.status.log_file import part_of
from nrunner.status.query import TaskQuery
from nrunner.status.token import token_of_line
from nrunner.task import Task

__all__ = ["TARGETS", "Target"]

FIXTURES = Path(__file__).parents[1] / "fixtures"

# Anything that JSON can hold, and what only Python's reader takes.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "\ud800", "\0", "pass", "started", "running", "finished", "x" * 3000]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
BITS = st.sampled_from(
    [
        b"",
        b"\n",
        b"{",
        b"}",
        b"[",
        b'"',
        b"\\",
        b":",
        b",",
        b"\0",
        b"\xff",
        b"\\ud800",
        b"e999",
        b"NaN",
    ]
)


def mutated(samples: Sequence[bytes]) -> SearchStrategy[bytes]:
    """Return one of the samples with pieces changed, cut out, doubled or put elsewhere."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(st.sampled_from(samples)))
        for _ in range(draw(st.integers(0, 4))):
            start = draw(st.integers(0, len(data)))
            stop = draw(st.integers(start, min(len(data), start + 200)))
            piece = bytes(data[start:stop])
            kind = draw(st.integers(0, 3))
            new = (b"", piece * 2, draw(BITS), draw(st.binary(max_size=8)))[kind]
            data[start:stop] = new
        return bytes(data)

    return build()


@dataclass(frozen=True)
class Target:
    """Something that reads, what it is given, and what must hold."""

    strategy: SearchStrategy[Any]
    check: Callable[[Any], None]


# Status messages.


@cache
def recorded() -> list[bytes]:
    """Return lines of the wire format that real runners have sent."""
    paths = sorted((FIXTURES / "wire").glob("*.ndjson"))
    return sorted({line for path in paths for line in path.read_bytes().splitlines()})[:400]


def outcome(read: Callable[[bytes], Any], line: bytes) -> Any:
    try:
        return read(line)
    except MessageError:
        return None


def check_message(line: bytes) -> None:
    """Both readers read the same, and what they have read can be written and read again."""
    plain = outcome(parse, line)
    assert outcome(decode, line) == plain
    if plain is not None:
        again = outcome(parse, dump(plain))
        assert again == plain


@contextlib.contextmanager
def short_lines(most: int) -> Iterator[None]:
    """Have lines count as long from fewer bytes on."""
    before, line_module.LONGEST = line_module.LONGEST, most
    try:
        yield
    finally:
        line_module.LONGEST = before


def check_lines(drawn: tuple[list[bytes], list[int]]) -> None:
    """However a stream is cut, and however long its lines, they are read as each by itself."""
    lines, cuts = drawn
    lines = [each.replace(b"\n", b"") for each in lines]
    stream = b"".join(each + b"\n" for each in lines)
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    refused: list[bytes] = []
    with short_lines(200):
        cutter = Lines(Budget(1 << 20), refused.append)
        found = [each for start, end in pairwise(edges) for each in cutter.feed(stream[start:end])]
    read = []
    for each in found:
        with contextlib.suppress(MessageError):
            read.append(each.read(parse) if isinstance(each, LongLine) else parse(each))
    whole = [message for each in lines if (message := outcome(parse, each)) is not None]
    # A long line may be refused for what a short one may hold; it is never read as another.
    remaining = iter(whole)
    assert all(any(message == other for other in remaining) for message in read)
    assert len(found) + len(refused) == len(lines)


# Frames.

FRAMES = [
    encode({"type": "hello", "protocol": 1, "token": "x", "epoch": 1, "acknowledged": 0}),
    encode({"type": "run", "task": 1, "attempt": 1, "id": "x", "runnable": {"kind": "noop"}}),
    encode({"type": "put", "path": "x"}, b"some\nbytes{}\n"),
    b'{"type": "ack", "seq": 1}\n' * 3,
    b'{"body": 20}\n{"type": "inside"}\n' + b"x" * 20,
]


def check_frames(drawn: tuple[bytes, list[int], int | None]) -> None:
    """However a stream is cut, the same frames come out, and no more than is due is held."""
    stream, cuts, first = drawn
    whole = FrameReader(first=first)
    expected = whole.feed(stream)
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    reader = FrameReader(first=first)
    found = []
    for start, end in pairwise(edges):
        found += reader.feed(stream[start:end])
        if first is not None and not found:
            assert len(reader._buffer) <= first + end - start
    assert found == expected or _has_nan(expected)
    assert reader.refused == whole.refused


def _has_nan(frames: Sequence[Any]) -> bool:
    return frames != [*frames] or "NaN" in repr(frames) or "nan" in repr(frames)


# What an agent says.

SAID: Sequence[Mapping[str, Any]] = (
    {"type": "hello", "protocol": 1, "tasks": [[1, 1]], "first": 1, "last": 0, "boot_id": "x"},
    {"type": "event", "task": 1, "attempt": 1, "event": "started", "time": 1.0, "slot": "/s"},
    {
        "type": "event",
        "task": 1,
        "attempt": 1,
        "event": "ended",
        "time": 2.0,
        "result": "fail",
        "fail_reason": "why",
        "returncode": 3,
        "core": False,
        "elapsed": 1.5,
        "class_name": "T",
        "fail_class": "E",
        "traceback": "...",
        "contract": False,
        "malformed": False,
        "stop": "timeout",
        "stop_detail": "past",
        "layer": "cgroup",
        "leaks": [{"pid": 5, "command": "x", "age": 1.0}],
        "whiteboard": "w",
        "trouble": "",
        "unkillable": [{"pid": 6, "command": "y"}],
        "outputs": ["stdout"],
        "doing": "x",
    },
    {"type": "event", "task": 1, "attempt": 1, "event": "ended", "result": "pass"},
    {"type": "event", "task": 1, "attempt": 1, "event": "not_started", "cause": "infra"},
    {"type": "event", "task": 1, "attempt": 1, "event": "slow", "elapsed": 1.0},
    {"type": "event", "task": 0, "attempt": 0, "event": "notice", "text": "t"},
    {"type": "reply", "request": 1, "kinds": {"noop": True}},
    {"type": "refused", "reason": "replaced", "replaced": True},
)
ODD = st.sampled_from([None, True, -1, 1.5, 2**70, float("nan"), "x", [], [[]], [5], {}, {"a": 1}])


@st.composite
def said(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return what an agent may say, in order, with a field or two that are wrong."""
    heads = []
    for number in range(draw(st.integers(1, 3))):
        head = {**draw(st.sampled_from(SAID))}
        if head["type"] == "event":
            head["seq"] = number + 1
        for _ in range(draw(st.integers(0, 2))):
            key = draw(st.sampled_from(sorted(head)))
            if draw(st.booleans()):
                head[key] = draw(ODD | VALUES)
            elif key not in ("type", "seq"):
                del head[key]
        heads.append(head)
    return heads


class _Handle:
    name = "fuzzed"
    token = "x"


class _Link:
    is_greeted = True

    def write(self, data: bytes) -> None:
        """Take it."""

    def abort(self) -> None:
        """End."""


def check_agent(heads: list[dict[str, Any]]) -> None:
    """Whatever an agent says, the controller goes on, and can tell of it."""
    heard: list[Mapping[str, Any]] = []

    def take(_environment: Environment, news: Sequence[Mapping[str, Any]]) -> bool:
        heard.extend(news)
        return True

    handle: Any = _Handle()
    link: Any = _Link()
    environment = Environment("fuzzed", handle, {}, take)
    environment._link = link
    environment._say = lambda data: None  # type: ignore[method-assign]
    environment.take(link, heads)
    for head in heard:
        _settle(head)


def _settle(head: Mapping[str, Any]) -> None:
    if head.get("event") not in ("started", "ended", "not_started"):
        return
    if (head.get("task"), head.get("attempt")) != (1, 1):
        return
    machine = Machine([Task(1, "1-x", Runnable("noop"))], Limits(1))
    for event in (Begin(0.0), Triaged(1.0, 1, "here")):
        machine.handle(event)
    if head["event"] == "ended":
        machine.handle(Started(2.0, 1, 1))
    event = translate(head, 3.0)
    assert event is not None
    reporter = Reporter(JobReport("id", Path("/x"), (), 1, 0.0), JobClock(0.0, 0.0), ())
    for action in machine.handle(event):
        if type(action).__name__ == "Settle":
            msgspec.json.encode(msgspec.to_builtins(reporter.report(action)))


# Files of a job, in which a test may have written.


@cache
def journal() -> bytes:
    return (FIXTURES / "journals" / "format-2.jsonl").read_bytes()


@contextlib.contextmanager
def file_of(data: bytes, name: str = "journal.jsonl") -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path


def check_journal(data: bytes) -> None:
    """What is read is a beginning of what was written: nothing is made up."""
    original = [msgspec.json.decode(line) for line in journal().splitlines()]
    with file_of(data) as path:
        try:
            records = list(read_records(path))
        except JournalError:
            return
        history = History()
        for record in records:
            with contextlib.suppress(NrunnerError):
                history.visit(record)
    common = 0
    while common < len(records) and records[common] == original[min(common, len(original) - 1)]:
        common += 1
    # A record that stands twice, or elsewhere, is still one that was written.
    assert all(record in original for record in records[common:])


@st.composite
def record_changed(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return the records of a journal with fields of some replaced or left out."""
    records = [msgspec.json.decode(line) for line in journal().splitlines()]
    for _ in range(draw(st.integers(1, 3))):
        record = draw(st.sampled_from(records))
        key = draw(st.sampled_from(sorted(record)))
        if draw(st.booleans()) and key != "type":
            del record[key]
        else:
            record[key] = draw(VALUES | st.sampled_from([0, -1, 6, 10**5, 2**40]))
    return records


def check_history(records: list[dict[str, Any]]) -> None:
    """Whatever is in records that can be believed, it is an error in words, or a history."""
    for record in records:
        record.pop("check", None)
        record.setdefault("type", "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        written = Journal(path)
        with contextlib.suppress(LookupError, TypeError, ValueError, OverflowError):
            # What cannot even be written is nobody's journal.
            for record in records:
                written._write(_line(record))
            written._write(_line([records[0]]))
        written.close()
        history = History()
        try:
            journal = Journal.look_at(path, history.visit)
        except NrunnerError:
            return
        with contextlib.closing(journal), contextlib.suppress(NrunnerError):
            list(journal.settled())
    with contextlib.suppress(NrunnerError):
        history.settle_down()
        history.plan(Path("/results/job"))
    assert json.dumps([dict(history.facts), history.writers, history.command], default=repr)


def _line(record: object) -> bytes:
    body = json.dumps(record).encode()[:-1]
    return body + b',"check":"%08x-%08x"}\n' % (len(body), zlib.crc32(body))


LOCK = json.dumps(
    {"pid": 1, "start": 5, "boot_id": "x", "host": "h", "since": 1.5, "stage": "serving"}
).encode()


def check_lock(data: bytes) -> None:
    """Whatever stands in a lock's file, the job's state can be told."""
    with file_of(data, "lock") as path:
        folder = JobFolder(path.parent)
        folder.id_file.write_bytes(data[:50])
        assert str(state_of(folder))


SPOOL = (
    b"nrspool1"
    + (64 | 64 + 59 << 32).to_bytes(8, "little")
    + bytes(48)
    + b'{"seq":1,"task":1,"attempt":1}\n{"taken":[1,1]}\n{"seq":2}\n'
)


def check_spool(data: bytes) -> None:
    """Whatever an agent seems to have left, it is read as something or as nothing."""
    with file_of(data, "spool") as path:
        remains = read_remains(str(path))
    if remains is not None:
        assert all(type(head["seq"]) is int for head in remains.events)
        assert all(len(key) == 2 for key in remains.taken)


# Words of requests.


def check_request(drawn: tuple[dict[str, str], str, bytes]) -> None:
    words, text, data = drawn
    with contextlib.suppress(UsageError):
        TaskQuery.of(words)
    part = part_of(text, 100)
    assert part is None or 0 <= part.start <= part.stop <= 100
    assert isinstance(token_of_line(data), str)


CUTS = st.lists(st.integers(0, 1 << 16), max_size=10)
LINES = st.lists(mutated(recorded()), max_size=6)
WORDS = st.sampled_from(["start", "limit", "phase", "result", "suite", "x"])
TARGETS: Mapping[str, Target] = {
    "messages": Target(mutated(recorded()), check_message),
    "any json": Target(VALUES.map(lambda value: json.dumps(value).encode()), check_message),
    "lines": Target(st.tuples(LINES, CUTS), check_lines),
    "frames": Target(
        st.tuples(mutated([b"".join(FRAMES), *FRAMES]), CUTS, st.none() | st.integers(1, 100)),
        check_frames,
    ),
    "agent": Target(said(), check_agent),
    "journal": Target(mutated([journal()]), check_journal),
    "history": Target(record_changed(), check_history),
    "lock": Target(mutated([LOCK]), check_lock),
    "spool": Target(mutated([SPOOL]), check_spool),
    "requests": Target(
        st.tuples(
            st.dictionaries(WORDS, st.text(max_size=12)),
            st.text(max_size=20) | st.from_regex(r"bytes=\d*-\d*"),
            mutated([b'{"token": "x"}']),
        ),
        check_request,
    ),
}
