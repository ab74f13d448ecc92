from dataclasses import replace
from datetime import datetime
from pathlib import Path

from nrunner.results.job_log import JobLog
from nrunner.testing.sample import sample_job, sample_report, sample_reports


def _log():
    return JobLog(now=lambda: datetime(2026, 11, 22, 10, 15, 3, 141592))


def test_the_log_has_the_consoles_lines_with_the_time(tmp_path):
    log, job = _log(), sample_job([sample_report()], tmp_path)
    log.job_opened(job)
    log.task_settled(sample_report())
    log.notice("slow")
    log.job_closed(job)
    lines = (tmp_path / "job.log").read_text().splitlines()
    assert all(line.startswith("2026-11-22 10:15:03.141 ") for line in lines)
    assert lines[2].endswith(" COMMAND    : nrunner run tests.py")
    assert lines[4].endswith(" (1/1) tests.py:Test.test_1: PASS (0.26 s)")
    assert [line[24:34] for line in lines] == [
        "JOB ID    ",
        "JOB LOG   ",
        "COMMAND   ",
        "VERSION   ",
        " (1/1) tes",
        "NOTICE    ",
        "RESULTS   ",
        "JOB TIME  ",
    ]


def test_what_was_flushed_is_in_the_file_before_the_job_is_over(tmp_path):
    log = _log()
    log.job_opened(sample_job(folder=tmp_path))
    log.task_settled(sample_report())
    assert "PASS" not in (tmp_path / "job.log").read_text()
    log.flush()
    assert "PASS" in (tmp_path / "job.log").read_text()
    log.job_closed(sample_job(folder=tmp_path))


def test_hostile_tasks_are_one_line_each(tmp_path):
    log, reports = _log(), sample_reports()
    job = sample_job(reports, tmp_path)
    log.job_opened(job)
    for report in reports:
        log.task_settled(report)
    log.job_closed(job)
    text = (tmp_path / "job.log").read_bytes().decode("utf-8")
    assert text.count("\n") == len(reports) + 6


def test_a_second_job_is_appended(tmp_path):
    for _ in range(2):
        log = _log()
        log.job_opened(sample_job(folder=tmp_path))
        log.job_closed(sample_job(folder=tmp_path))
    assert (tmp_path / "job.log").read_text().count("JOB ID") == 2


def test_a_log_that_cannot_be_written_costs_the_job_nothing(tmp_path):
    for folder in (tmp_path / "missing", Path("a\0b")):
        job = replace(sample_job(), folder=folder)
        log = _log()
        log.job_opened(job)
        log.task_settled(sample_report())
        log.job_closed(job)
    (tmp_path / "job.log").symlink_to("/dev/full")
    log = _log()
    log.job_opened(sample_job(folder=tmp_path))
    log.job_closed(sample_job(folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["job.log"]
