"""Our own result writers against the published conformance suite."""

import contextlib
import io
from dataclasses import replace

import pytest

from nrunner.results.ctrf import CtrfReport
from nrunner.results.html import HtmlReport
from nrunner.results.json_report import JsonReport
from nrunner.results.tap import TapReport
from nrunner.results.tmt import TmtReport
from nrunner.results.trace import TraceReport
from nrunner.results.xunit import XunitReport
from nrunner.testing.result_contract import ResultWriterContract
from nrunner.testing.sample import sample_job, sample_report


class TestJsonReport(ResultWriterContract):
    def make_writer(self):
        return JsonReport()


class TestHtmlReport(ResultWriterContract):
    def make_writer(self):
        return HtmlReport()


class TestXunitReport(ResultWriterContract):
    def make_writer(self):
        return XunitReport()


class TestCtrfReport(ResultWriterContract):
    def make_writer(self):
        return CtrfReport()


class TestTmtReport(ResultWriterContract):
    def make_writer(self):
        return TmtReport()


class TestTraceReport(ResultWriterContract):
    is_streaming = False

    def make_writer(self):
        return TraceReport()


class TestTapReport(ResultWriterContract):
    def make_writer(self):
        return TapReport()


class Careless:
    """A writer that does wrong what the suite looks for."""

    name = "Careless "
    description = ""
    file_name = "../careless.txt"
    reports = 0

    def write(self, job, tasks, stream):
        Careless.reports += 1
        text = "".join(task.id for task in list(tasks))
        with contextlib.suppress(OSError):
            stream.write(f"{Careless.reports} {job.command} {job.interrupted} {text}")


class Raising(Careless):
    def write(self, job, tasks, stream):
        raise ZeroDivisionError


class Impatient(Careless):
    def write(self, job, tasks, stream):
        next(iter(tasks))


def _suite_for(writer):
    suite = ResultWriterContract()
    suite.make_writer = writer
    return suite


RAISED = {
    "test_every_result_cause_and_hostile_text_can_be_written": Raising,
    "test_a_job_without_tasks_can_be_written": Raising,
    "test_a_stream_that_holds_only_ascii_is_enough": Raising,
    "test_each_task_is_read_once_and_in_order": Impatient,
}


@pytest.mark.parametrize(
    "name", [name for name in vars(ResultWriterContract) if name.startswith("test_")]
)
def test_each_test_of_the_suite_fails_for_a_writer_that_is_wrong(name):
    suite = _suite_for(RAISED.get(name, Careless))
    with pytest.raises((AssertionError, UnicodeError, ZeroDivisionError)):
        getattr(suite, name)()


@pytest.mark.parametrize("writer", [JsonReport(), TapReport(), XunitReport(), CtrfReport()])
def test_time_for_a_task_does_not_grow_with_their_number(writer):
    def pieces(count):
        written = []

        class Stream(io.StringIO):
            def write(self, text):
                written.append(len(text))
                return len(text)

        job = replace(sample_job(), total=count)
        writer.write(job, (sample_report(7) for _ in range(count)), Stream())
        return written

    few, many = pieces(10), pieces(1000)
    assert len(many) - len(few) == 990
    assert max(many) <= max(few) + 4
