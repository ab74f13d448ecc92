from dataclasses import replace

import pytest

from nrunner.result import Cause, Result
from nrunner.results.line import foot_lines, head_lines, notice_line, task_line
from nrunner.testing.sample import HOSTILE_TEXTS, sample_attempt, sample_job, sample_report


def test_lines_are_as_avocados_users_know_them(tmp_path):
    first = replace(sample_report(1, "tests.py:Test.test_2"), elapsed=2.56)
    second = replace(
        sample_report(2, "tests.py:Test.test_1"),
        result=Result.INTERRUPT,
        cause=Cause.TIMEOUT,
        detail="past its 900 s limit",
        elapsed=900.01,
    )
    job = sample_job([first, second], tmp_path)
    lines = [*head_lines(job), task_line(first, 2), task_line(second, 2), *foot_lines(job)]
    assert lines == [
        "JOB ID     : f59bd40b8ac905864c4558dc02b6177d4f422ca3",
        f"JOB LOG    : {tmp_path}/job.log",
        " (1/2) tests.py:Test.test_2: PASS (2.56 s)",
        " (2/2) tests.py:Test.test_1: INTERRUPT: past its 900 s limit (900.01 s)",
        "RESULTS    : PASS 1 | ERROR 0 | FAIL 0 | SKIP 0 | WARN 0 | INTERRUPT 1 | CANCEL 0",
        "JOB TIME   : 900.19 s",
    ]


def test_what_a_test_did_when_it_passed_a_limit_is_said_behind_the_reason():
    attempt = replace(sample_attempt(), doing="tests.py:7 in test_1")
    changes = {"result": Result.INTERRUPT, "detail": "past its 9 s limit", "attempts": (attempt,)}
    report = replace(sample_report(), **changes)
    line = task_line(report, 1)
    assert line.endswith(": INTERRUPT: past its 9 s limit; tests.py:7 in test_1 (0.26 s)")


def test_numbers_are_padded_to_the_width_of_the_count():
    assert task_line(sample_report(7), 1000).startswith(" (0007/1000) ")


def test_more_than_one_attempt_is_said():
    report = replace(sample_report(), attempts=(sample_attempt(1), sample_attempt(2)))
    assert task_line(report, 1).endswith(": PASS (0.26 s, 2 attempts)")


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_a_task_is_one_line_whatever_it_is_called(text):
    report = replace(sample_report(), id=f"1-{text}", result=Result.FAIL, detail=text)
    line = task_line(report, 1)
    assert line.isprintable()
    assert len(line) < 800


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_what_is_said_of_a_job_is_printable(text):
    job = replace(sample_job(), id=text, interrupted=text)
    assert all(line.isprintable() for line in [*head_lines(job), *foot_lines(job)])
    assert notice_line(text).isprintable()


def test_why_a_job_was_cut_short_is_said():
    job = replace(sample_job(), interrupted="job timeout")
    assert foot_lines(job)[0] == "CUT SHORT  : job timeout"
