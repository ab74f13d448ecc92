"""What every result writer must do: a suite to run against your own.

Derive a class from `ResultWriterContract`, say how to make your writer, and let pytest find it::

    class TestMyReport(ResultWriterContract):
        def make_writer(self):
            return MyReport()

Not responsible for what the format says; only its author can test that.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from nrunner.result import Result
from nrunner.results.base import JobReport, ResultWriter, TaskReport
from nrunner.testing.sample import HOSTILE_TEXTS, sample_job, sample_report, sample_reports

__all__ = ["ResultWriterContract"]

_MANY = 2_000


class ResultWriterContract:
    """Tests that hold for each result writer."""

    is_streaming = True
    """Whether the format can be written task by task; say False for one that cannot."""

    def make_writer(self) -> ResultWriter:
        """Return a new writer."""
        raise NotImplementedError

    def written(self, job: JobReport, tasks: Iterable[TaskReport]) -> str:
        """Return what the writer writes."""
        stream = io.StringIO()
        self.make_writer().write(job, tasks, stream)
        return stream.getvalue()

    def test_it_says_what_it_is(self) -> None:
        """Name, description and file name are there, and fit for where they are shown."""
        writer = self.make_writer()
        assert writer.name
        assert writer.name == writer.name.strip().lower()
        assert writer.description.isprintable()
        assert writer.description
        assert Path(writer.file_name).name == writer.file_name

    def test_every_result_cause_and_hostile_text_can_be_written(self) -> None:
        """Nothing that a report can hold makes it raise."""
        reports = sample_reports()
        assert self.written(sample_job(reports), iter(reports))

    def test_what_it_writes_is_valid_utf8(self) -> None:
        """Lone surrogates do not get through."""
        reports = sample_reports()
        text = self.written(sample_job(reports), iter(reports))
        assert text.encode("utf-8").decode("utf-8") == text

    def test_no_control_character_of_a_test_gets_through(self) -> None:
        """What a test is called cannot command the terminal of who reads the report."""
        reports = sample_reports()
        text = self.written(sample_job(reports), iter(reports))
        assert not {chr(code) for code in range(32)} - {"\t", "\n", "\r"} & set(text)

    def test_a_stream_that_holds_only_ascii_is_enough(self) -> None:
        """A report for standard output must survive an old locale."""
        reports = sample_reports()
        buffer = io.BytesIO()
        stream = io.TextIOWrapper(buffer, encoding="ascii")
        self.make_writer().write(sample_job(reports), iter(reports), stream)
        stream.flush()
        assert buffer.getvalue().decode("ascii")

    def test_a_job_without_tasks_can_be_written(self) -> None:
        """An empty job is a job."""
        assert self.written(sample_job(), ())

    def test_a_hostile_job_can_be_written(self) -> None:
        """The job's own fields hold what users typed."""
        report = sample_report()
        for text in HOSTILE_TEXTS:
            job = replace(
                sample_job([report]),
                command=(text,),
                interrupted=text,
                facts={text: text, "nested": {"text": [text], "path": Path("x"), "huge": 2**70}},
            )
            assert self.written(job, [report]).encode("utf-8")

    def test_the_same_job_gives_the_same_report(self) -> None:
        """Two reports of one job can be compared byte for byte."""
        reports = sample_reports()
        job = sample_job(reports)
        assert self.written(job, iter(reports)) == self.written(job, iter(reports))

    def test_a_second_report_by_the_same_writer_is_not_coloured_by_the_first(self) -> None:
        """A writer keeps nothing between reports."""
        writer = self.make_writer()
        reports = sample_reports()[:20]
        texts = []
        for _ in range(2):
            stream = io.StringIO()
            writer.write(sample_job(reports), iter(reports), stream)
            texts.append(stream.getvalue())
        assert texts[0] == texts[1]

    def test_each_task_is_read_once_and_in_order(self) -> None:
        """Tasks come from the journal and can be read only once."""
        source = _Counted(50)
        self.written(_job_of(50), source)
        assert source.given == 50

    def test_memory_does_not_grow_with_the_number_of_tasks(self) -> None:
        """What was read is written before much more is read."""
        if not self.is_streaming:
            return
        source = _Counted(_MANY)
        stream = _Watched(source)
        self.make_writer().write(_job_of(_MANY), source, stream)
        assert stream.widest_gap <= _MANY // 4

    def test_an_error_of_the_stream_reaches_the_caller(self) -> None:
        """A full disk is the caller's to tell of; a report must not seem written."""
        try:
            self.make_writer().write(_job_of(1), [sample_report()], _Full())
        except OSError:
            return
        raise AssertionError("the writer hid that the stream could not be written")


def _job_of(total: int) -> JobReport:
    return replace(sample_job(), total=total, tally={Result.PASS: total})


class _Counted(Iterable[TaskReport]):
    """Tasks that can be read once, counted as they are."""

    def __init__(self, count: int) -> None:
        self.given = 0
        self._tasks = self._make(count)

    def __iter__(self) -> Iterator[TaskReport]:
        return self._tasks

    def _make(self, count: int) -> Iterator[TaskReport]:
        for number in range(1, count + 1):
            self.given = number
            yield sample_report(number)


class _Watched(io.StringIO):
    """Notes how many tasks were read between two writes."""

    def __init__(self, source: _Counted) -> None:
        super().__init__()
        self.widest_gap = 0
        self._source = source
        self._seen = 0

    def write(self, text: str) -> int:
        self.widest_gap = max(self.widest_gap, self._source.given - self._seen)
        self._seen = self._source.given
        return len(text)


class _Full(io.StringIO):
    """A disk without space."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")
