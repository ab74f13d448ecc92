"""The journal: what is read is what was written, whatever happened to the file."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nrunner import journal as module
from nrunner.errors import JournalError, JournalFull
from nrunner.journal import FORMAT, Journal, read_records
from nrunner.phase import Phase
from nrunner.result import Cause, Result, Verdict
from nrunner.task import TaskLimits
from nrunner.testing.sample import HOSTILE_TEXTS, sample_report


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    yield journal
    journal.close()


def move(task: int, phase: Phase = Phase.READY) -> dict[str, object]:
    return {"type": "move", "task": task, "attempt": 1, "phase": phase, "time": 2.5}


def test_records_are_read_as_they_were_written(journal):
    journal.append([move(1), {"type": "planned", "task": 1, "limits": TaskLimits(3.0)}])
    first, second = read_records(journal.path)
    assert {key: first[key] for key in move(1)} == {**move(1), "phase": "READY"}
    assert second["limits"] == {"timeout": 3.0, "slow": None, "silence": None, "grace": 5.0}


def test_a_journal_is_for_its_owner_alone_and_never_overwrites_another(journal):
    assert journal.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(JournalError, match="File exists"):
        Journal(journal.path)


def test_a_tail_torn_at_any_byte_costs_the_last_record_and_no_other(journal, tmp_path):
    journal.append([move(1), move(2)])
    whole = journal.path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    torn = tmp_path / "torn"
    for end in range(last, len(whole)):
        torn.write_bytes(whole[:end])
        assert [each["task"] for each in read_records(torn)] == [1], end
    torn.write_bytes(whole)
    assert [each["task"] for each in read_records(torn)] == [1, 2]


def test_a_record_that_was_changed_anywhere_ends_what_is_believed(journal, tmp_path):
    journal.append([move(1), move(2), move(3)])
    whole = journal.path.read_bytes()
    start = whole.index(b"\n") + 1
    end = whole.index(b"\n", start)
    changed = tmp_path / "changed"
    for place in range(start, end + 1):
        changed.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert [each["task"] for each in read_records(changed)] == [1], place


def test_a_newer_format_is_refused_and_an_older_one_is_read(journal):
    journal.append([{"type": "job", "format": FORMAT - 1}])
    assert len(list(read_records(journal.path))) == 1
    journal.append([{"type": "job", "format": FORMAT + 1}])
    with pytest.raises(JournalError, match=f"format {FORMAT + 1} is newer than {FORMAT}"):
        list(read_records(journal.path))


def test_a_journal_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(JournalError, match="nowhere"):
        list(read_records(tmp_path / "nowhere"))


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
def test_any_text_can_be_told(journal, text):
    journal.append([{"type": "notice", "task": 1, text: {"args": (text, [text])}}])
    journal.append(
        [{"type": "settled", "task": 1, "report": replace(sample_report(), detail=text)}]
    )
    assert len(list(read_records(journal.path))) == 2
    assert journal.report_of(1) == next(journal.settled())
    shown = text.encode("utf-8", "backslashreplace").decode()
    assert journal.report_of(1).detail == shown


def test_settled_tasks_come_in_order_of_their_numbers(journal):
    for number in (3, 1, 12, 2):
        journal.append(
            [move(number), {"type": "settled", "task": number, "report": report(number)}]
        )
    assert [each.number for each in journal.settled()] == [1, 2, 3, 12]
    assert journal.report_of(12) == report(12)
    assert journal.report_of(4) is None
    assert journal.report_of(13) is None


def report(number: int):
    return sample_report(number=number)


def test_a_report_comes_back_whole(journal):
    written = replace(
        sample_report(),
        result=Result.WARN,
        phases=((Phase.REQUESTED, 0.0), (Phase.FINISHED, 0.125)),
    )
    journal.append([{"type": "settled", "task": written.number, "report": written}])
    assert journal.report_of(written.number) == written
    assert as_read(journal) == [written]


def as_read(journal: Journal) -> list[Any]:
    """Return the reports that are in the file, as another process sees them."""
    other = Journal.look_at(journal.path, lambda record: None)
    try:
        return list(other.settled())
    finally:
        other.close()


def test_a_small_job_has_its_reports_at_hand_and_a_large_one_those_that_are_in_the_file(journal):
    written = [report(number) for number in range(module._KEPT + 2)]
    for each in written:
        journal.append([{"type": "settled", "task": each.number, "report": each}])
    assert [*journal.settled()] == written == as_read(journal)
    same = [kept is each for kept, each in zip(journal.settled(), written, strict=True)]
    assert same == [True] * module._KEPT + [False] * 2
    assert journal.report_of(0) is written[0]
    assert journal.report_of(module._KEPT) == written[module._KEPT]


def test_a_report_that_is_no_valid_text_is_the_one_that_is_in_the_file(journal):
    written = replace(sample_report(), detail="no \udcff text")
    journal.append([{"type": "settled", "task": written.number, "report": written}])
    assert [*journal.settled()] == as_read(journal)
    assert [each.detail for each in journal.settled()] == ["no \\udcff text"]


def test_lines_are_those_of_the_file(journal):
    for number in range(5):
        journal.append([move(number), move(number)])
    lines = journal.path.read_bytes().splitlines()
    assert journal.records == 10
    assert journal.lines(0, 10) == lines
    assert journal.lines(3, 7) == lines[3:7]
    assert journal.lines(4, 4) == []


def test_subscribers_are_woken_after_the_record_can_be_read_until_they_leave(journal):
    seen: list[int] = []
    leave = journal.subscribe(lambda: seen.append(len(journal.lines(0, journal.records))))
    journal.append([move(1), move(2)])
    journal.append([move(3)])
    leave()
    leave()
    journal.append([move(4)])
    assert seen == [2, 3]


def test_a_write_that_fails_leaves_the_journal_as_it_was(journal, monkeypatch):
    """The disk gets full in the middle of a record."""
    journal.append([{"type": "settled", "task": 1, "report": sample_report(number=1)}])
    before = journal.path.read_bytes()
    write, full = os.pwrite, [False]

    def until_full(fd: int, data: bytes, offset: int) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        full[0] = True
        return write(fd, data[:40], offset)

    monkeypatch.setattr(module.os, "pwrite", until_full)
    with pytest.raises(JournalError, match="No space left on device"):
        journal.append([move(2), {"type": "settled", "task": 2, "report": sample_report(number=2)}])
    monkeypatch.undo()
    assert journal.path.read_bytes() == before
    assert journal.records == 1
    assert [each.number for each in journal.settled()] == [1]
    journal.append([move(3)])
    assert [each["type"] for each in read_records(journal.path)] == ["settled", "move"]
    assert len(journal.lines(0, 2)) == 2


def test_a_write_that_is_cut_short_goes_on(journal, monkeypatch):
    write = os.pwrite
    monkeypatch.setattr(module.os, "pwrite", lambda fd, data, at: write(fd, data[:7], at))
    journal.append([move(1), move(2)])
    assert [each["task"] for each in read_records(journal.path)] == [1, 2]


def test_a_line_is_json_with_its_length_and_checksum_last(journal):
    journal.append([move(1)])
    (line,) = journal.path.read_bytes().splitlines()
    assert list(msgspec.json.decode(line))[-1] == "check"


def test_closing_twice_does_no_harm(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    journal.sync()
    journal.close()
    journal.close()


def test_a_verdict_of_the_machine_can_be_told(journal):
    """What the records are made of needs no conversion by whoever writes them."""
    journal.append([{"type": "x", "verdict": Verdict(Result.PASS, Cause.TEST, "fine")}])
    (record,) = read_records(journal.path)
    assert record["verdict"] == {"result": "PASS", "cause": "test", "detail": "fine"}


def test_a_journal_that_cannot_be_saved_is_an_error_that_says_so(journal, monkeypatch):
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(module.os, "fsync", fail)
    with pytest.raises(JournalError, match="Input/output error"):
        journal.sync()


def test_a_name_that_is_no_text_changes_nothing_in_the_records_beside_it(journal):
    journal.append([move(1), {"type": "notice", "text": "caf\udce9"}, move(2)])
    first, odd, last = read_records(journal.path)
    assert odd["text"] == "caf\\udce9"
    assert [first["task"], last["task"]] == [1, 2]
    assert journal.lines(2, 3)[0].startswith(b'{"type":"move","task":2')


def test_a_journal_is_gone_on_with_where_it_ended(journal):
    journal.append([move(1), {"type": "settled", "task": 2, "report": report(2)}])
    journal.close()
    seen: list[str] = []
    again = Journal.reopen(journal.path, lambda record: seen.append(record["type"]))
    again.append([move(3), {"type": "settled", "task": 1, "report": report(1)}])
    assert seen == ["move", "settled"]
    assert [each.number for each in again.settled()] == [1, 2]
    assert again.records == 4
    assert again.lines(1, 3) == journal.path.read_bytes().splitlines()[1:3]
    assert again.torn is None


def test_a_torn_tail_is_cut_off_and_kept(journal):
    journal.append([move(1), move(2)])
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + b'{"type":"move","task":3,\nand what followed')
    again = Journal.reopen(journal.path, lambda _record: None)
    assert again.torn is not None
    assert again.torn.read_bytes() == b'{"type":"move","task":3,\nand what followed'
    again.append([move(3)])
    assert [each["task"] for each in read_records(journal.path)] == [1, 2, 3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, JournalError])
def test_a_journal_that_is_not_gone_on_with_after_all_is_left_as_it_is(journal, error):
    """Ctrl-C while it is read, or a word in it that is not known here."""
    journal.append([move(1), move(2), move(3)])
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b"torn")
    before = journal.path.read_bytes()

    def give_up(record: dict[str, Any]) -> None:
        if record["task"] == 2:
            raise error

    with pytest.raises(error):
        Journal.reopen(journal.path, give_up)
    assert journal.path.read_bytes() == before
    assert [path.name for path in journal.path.parent.iterdir()] == ["journal.jsonl"]


def test_a_journal_of_a_newer_format_is_left_as_it_is(journal):
    journal.append([move(1), {"type": "job", "format": FORMAT + 1}, move(2)])
    journal.close()
    before = journal.path.read_bytes()
    with pytest.raises(JournalError, match="is newer than"):
        Journal.reopen(journal.path, lambda _record: None)
    assert journal.path.read_bytes() == before


def test_who_only_looks_changes_nothing(journal):
    journal.append([{"type": "settled", "task": 1, "report": report(1)}])
    with journal.path.open("ab") as file:
        file.write(b"torn")
    before = sorted(path.name for path in journal.path.parent.iterdir())
    seen = Journal.look_at(journal.path, lambda _record: None)
    assert [each.number for each in seen.settled()] == [1]
    seen.close()
    assert journal.path.read_bytes().endswith(b"torn")
    assert sorted(path.name for path in journal.path.parent.iterdir()) == before


def test_what_fills_the_disk_is_written_from_the_reserve_and_told(journal, monkeypatch):
    write, full = os.pwrite, [True]

    def until_there_is_room(fd: int, data: bytes, offset: int) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data, offset)

    unlink = Path.unlink

    def make_room(path: Path, **options: bool) -> None:
        unlink(path, **options)
        full[0] = False

    assert journal.path.with_name(".journal.jsonl.reserve").stat().st_size == 1 << 16
    monkeypatch.setattr(module.os, "pwrite", until_there_is_room)
    monkeypatch.setattr(Path, "unlink", make_room)
    with pytest.raises(JournalFull, match="No space left on device"):
        journal.append([{"type": "settled", "task": 2, "report": report(2)}])
    assert [each.number for each in journal.settled()] == [2]


def test_nothing_is_left_of_the_reserve_once_it_is_closed(journal):
    journal.close()
    assert [path.name for path in journal.path.parent.iterdir()] == ["journal.jsonl"]


def test_lines_of_the_first_format_are_believed(tmp_path):
    body = b'{"type":"move","task":1'
    line = body + b',"crc":"%08x"}\n' % module.zlib.crc32(body)
    (tmp_path / "journal").write_bytes(line + line.replace(b"1", b"2", 1))
    assert [each["task"] for each in read_records(tmp_path / "journal")] == [1]


def test_a_line_whose_length_is_wrong_is_not_believed(tmp_path):
    body = b'{"type":"move","task":1'
    line = body + b',"check":"%08x-%08x"}\n' % (len(body) + 1, module.zlib.crc32(body))
    (tmp_path / "journal").write_bytes(line)
    assert [*read_records(tmp_path / "journal")] == []


def test_what_somebody_else_appends_shifts_nothing_and_is_gone_in_the_end(journal):
    journal.append([{"type": "settled", "task": 1, "report": report(1)}])
    with journal.path.open("ab") as file:
        file.write(b"garbage" * 1000 + b"\n")
    journal.append([move(2), {"type": "settled", "task": 3, "report": report(3)}])
    assert as_read(journal) == [report(1), report(3)]
    journal.close()
    records = [each["type"] for each in read_records(journal.path)]
    assert records == ["settled", "move", "settled"]
    assert journal.path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize(
    "data", [b"", b"x" * 100_000, b"{}\n" * 40_000], ids=["cut", "text", "json"]
)
def test_what_somebody_else_overwrites_is_an_error_that_says_so(journal, data):
    last = module._KEPT + 1
    for number in range(last + 1):
        journal.append([{"type": "settled", "task": number, "report": report(number)}])
    journal.path.write_bytes(data)
    with pytest.raises(JournalError, match="somebody else has written to it"):
        list(journal.settled())
    with pytest.raises(JournalError, match="somebody else has written to it"):
        journal.report_of(last)
