import io
import timeit
from dataclasses import replace

import pytest

from nrunner.result import Result
from nrunner.results.console import Console
from nrunner.runnable import Runnable
from nrunner.task import Task
from nrunner.testing.sample import sample_job, sample_report, sample_reports


class Counting(io.StringIO):
    writes = 0

    def write(self, text):
        self.writes += 1
        return super().write(text)


def test_each_line_is_written_once_and_each_batch_in_one_write():
    stream = Counting()
    console = Console(stream)
    reports = [sample_report(1), sample_report(2)]
    job = sample_job(reports)
    console.job_opened(job)
    for report in reports:
        console.task_started(Task(report.number, report.id, Runnable("noop")), 0.0)
        console.task_settled(report)
    console.flush()
    console.flush()
    console.job_closed(job)
    lines = stream.getvalue().splitlines()
    assert len(lines) == len(set(lines)) == 6
    assert stream.writes == 3


def test_a_job_of_hostile_tasks_is_one_line_for_each():
    stream = io.StringIO()
    console = Console(stream)
    reports = sample_reports()
    console.job_opened(sample_job(reports))
    for report in reports:
        console.task_settled(report)
    console.flush()
    lines = stream.getvalue().split("\n")
    assert len(lines) == 2 + len(reports) + 1
    assert all(line.isprintable() for line in lines)


def test_notices_are_shown_in_their_place():
    stream = io.StringIO()
    console = Console(stream)
    console.notice("slow test\nreally")
    console.task_settled(sample_report())
    console.flush()
    first, second = stream.getvalue().splitlines()
    assert first == r"NOTICE     : slow test\nreally"
    assert second.startswith(" (1/0) ")


def test_a_quiet_console_writes_nothing_and_keeps_nothing():
    stream = io.StringIO()
    console = Console(stream, ())
    console.job_opened(sample_job())
    console.task_settled(sample_report())
    console.notice("x")
    console.job_closed(sample_job())
    assert stream.getvalue() == ""
    assert console._pending == []


def test_output_of_failed_tests_is_shown_if_asked_for(tmp_path):
    (tmp_path / "out").write_text("reason\n")
    report = replace(sample_report(), result=Result.FAIL, outputs={"stdout": "out"})
    for show, count in (("app",), 0), (("app", "test"), 1):
        stream = io.StringIO()
        console = Console(stream, show)
        console.job_opened(sample_job([report], tmp_path))
        console.task_settled(report)
        console.flush()
        assert stream.getvalue().count("     stdout | reason\n") == count


def test_once_nobody_reads_lines_are_no_longer_kept():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    console = Console(Gone())
    console.job_opened(sample_job())
    console.task_settled(sample_report())
    assert console._pending == []


@pytest.mark.parametrize("result", [Result.PASS, Result.FAIL])
def test_a_task_costs_the_console_microseconds(result):
    report = replace(sample_report(), result=result, detail="exit status 1")
    console = Console(io.StringIO())

    def many():
        for _ in range(1000):
            console.task_settled(report)
        console.flush()

    # The aim is 5 us; the bound leaves room for a busy machine.
    assert min(timeit.repeat(many, number=1, repeat=5)) / 1000 < 25e-6
