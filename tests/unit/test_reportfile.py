"""Reports are written whole or not at all, and one that fails costs no other."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nrunner import reportfile
from nrunner.errors import ResultsError
from nrunner.journal import Journal
from nrunner.layout import JobFolder
from nrunner.plan import ReportTarget
from nrunner.reportfile import write_reports
from nrunner.testing.sample import sample_job, sample_report

TEXT = "2 tasks \ud800 \u2028"


class Writer:
    """Writes the numbers of tasks, or fails in the middle of that."""

    description = "numbers"

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.file_name = f"{name}.txt"
        self.error = error

    def write(self, job, tasks, stream) -> None:
        for task in tasks:
            stream.write(f"{task.number}\n")
        if self.error is not None:
            raise self.error


class Late(Writer):
    """Notes which reports are there when it is written."""

    seen: set[str]

    def write(self, job, tasks, stream) -> None:
        self.seen = files(job.folder)


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(
        [{"type": "settled", "task": n, "report": sample_report(number=n)} for n in (2, 1)]
    )
    yield journal
    journal.close()


@pytest.fixture
def write(tmp_path, journal, monkeypatch):
    """Return a function that writes reports; it returns what could not be written."""

    def write(*writers: Writer, reports: tuple[ReportTarget, ...] = ()) -> list[str]:
        known = {writer.name: writer for writer in writers}
        monkeypatch.setattr(reportfile, "find_writer", known.__getitem__)
        names = tuple(known) if not reports else ()
        job = sample_job(folder=tmp_path)
        return list(write_reports(names, reports, JobFolder(tmp_path), job, journal))

    return write


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if "journal.jsonl" not in path.name}


def test_reports_appear_in_the_jobs_folder_with_tasks_in_order(write, tmp_path):
    assert write(Writer("one"), Writer("two")) == []
    assert files(tmp_path) == {"one.txt", "two.txt"}
    assert (tmp_path / "one.txt").read_text() == "1\n2\n"


@pytest.mark.parametrize("error", [ValueError("no"), ResultsError("no"), OSError(28, "no")])
def test_a_report_that_fails_is_told_leaves_nothing_and_costs_no_other(write, tmp_path, error):
    (problem,) = write(Writer("bad", error), Writer("good"))
    assert "'bad'" in problem
    assert "no" in problem
    assert files(tmp_path) == {"good.txt"}


def test_the_report_that_says_complete_is_written_last(write, tmp_path):
    last = Late("json")
    assert write(last, Writer("a"), Writer("b")) == []
    assert {"a.txt", "b.txt"} <= last.seen
    assert (tmp_path / "json.txt").exists()


def test_a_report_that_fails_leaves_the_one_before_as_it_was(write, tmp_path):
    (tmp_path / "bad.txt").write_text("before")
    assert len(write(Writer("bad", ValueError("no")))) == 1
    assert (tmp_path / "bad.txt").read_text() == "before"


def test_a_report_goes_where_it_was_asked_for(write, tmp_path):
    target = tmp_path / "there.txt"
    assert write(Writer("one"), reports=(ReportTarget("one", str(target)),)) == []
    assert target.read_text() == "1\n2\n"


def test_a_place_that_does_not_exist_is_told(write, tmp_path):
    target = str(tmp_path / "no" / "such" / "folder" / "x")
    (problem,) = write(Writer("one"), reports=(ReportTarget("one", target),))
    assert target in problem


def test_a_pipe_is_written_to_and_not_replaced(write):
    reading, writing = os.pipe()
    try:
        target = f"/proc/self/fd/{writing}"
        assert write(Writer("one"), reports=(ReportTarget("one", target),)) == []
        assert os.read(reading, 100) == b"1\n2\n"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_link_is_followed_and_not_replaced(write, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "link"
    for aim in (tmp_path / "elsewhere" / "old", tmp_path / "elsewhere" / "new"):
        if aim.name == "old":
            aim.write_text("of an earlier job, and longer")
        target.symlink_to(aim)
        assert write(Writer("one"), reports=(ReportTarget("one", str(target)),)) == []
        assert target.is_symlink()
        assert aim.read_text() == "1\n2\n"
        target.unlink()
    assert files(tmp_path / "elsewhere") == {"old", "new"}


def test_a_file_that_was_opened_beforehand_is_written_to_and_not_replaced(write, tmp_path):
    with (tmp_path / "opened").open("w+") as file:
        target = f"/proc/self/fd/{file.fileno()}"
        assert write(Writer("one"), reports=(ReportTarget("one", target),)) == []
        assert file.read() == "1\n2\n"


def test_a_dash_is_standard_output(write, capsys):
    assert write(Writer("one"), reports=(ReportTarget("one", "-"),)) == []
    assert capsys.readouterr().out == "1\n2\n"


def test_text_that_is_no_valid_unicode_is_written_by_its_escape(write, tmp_path, monkeypatch):
    class Hostile(Writer):
        def write(self, job, tasks, stream) -> None:
            stream.write(TEXT)

    assert write(Hostile("one")) == []
    assert (tmp_path / "one.txt").read_text(encoding="utf-8") == "2 tasks \\ud800 \u2028"


def test_a_reader_that_has_gone_is_nobodys_failure(write, tmp_path, monkeypatch):
    spare = os.open(tmp_path / "stdout", os.O_WRONLY | os.O_CREAT)

    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

        def fileno(self) -> int:
            return spare

    monkeypatch.setattr(sys, "stdout", Gone())
    try:
        assert write(Writer("one"), reports=(ReportTarget("one", "-"),)) == []
        assert os.path.samestat(os.fstat(spare), Path(os.devnull).stat())
    finally:
        monkeypatch.undo()
        os.close(spare)


def test_a_report_is_of_the_job_as_it_is_told(tmp_path, journal, monkeypatch):
    told = []

    class Curious(Writer):
        def write(self, job, tasks, stream) -> None:
            told.append(job)

    monkeypatch.setattr(reportfile, "find_writer", lambda name: Curious(name))
    job = replace(sample_job(folder=tmp_path), exit_code=9)
    assert list(write_reports(("one",), (), JobFolder(tmp_path), job, journal)) == []
    assert told == [job]


class Counted:
    """Settled tasks that count how often they are read."""

    def __init__(self, count):
        self.tasks = [sample_report(number) for number in range(1, count + 1)]
        self.read = 0

    def settled(self):
        self.read += 1
        return iter(self.tasks)


@pytest.mark.parametrize(("total", "reads"), [(3, 1), (5000, 3)])
def test_reports_of_a_small_job_are_read_once_for_all_formats(tmp_path, total, reads):
    source = Counted(3)
    job = replace(sample_job(source.tasks, tmp_path), total=total)
    wanted = ("json", "tap", "xunit")
    assert list(write_reports(wanted, (), JobFolder(tmp_path), job, source)) == []
    assert source.read == reads
    assert (tmp_path / "results.xml").read_text().count("<testcase") == 3
    assert (tmp_path / "results.tap").read_text().count("\nok") == 3
