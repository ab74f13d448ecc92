import io
from dataclasses import replace

import pytest

from nrunner.result import Cause, Result
from nrunner.results.compact import Compact
from nrunner.testing.sample import HOSTILE_TEXTS, sample_job, sample_report


def failed(number, detail="exit status 1", name="a.sh", **more):
    report = replace(sample_report(number, f"{number}{name}"), result=Result.FAIL, detail=detail)
    return replace(report, **more)


def said(reports, folder=None, notices=(), **job):
    stream = io.StringIO()
    console = Compact(stream)
    whole = replace(sample_job(reports, folder), **job)
    console.job_opened(whole)
    for each in reports:
        console.task_settled(each)
    for each in notices:
        console.notice(each)
    console.flush()
    assert stream.getvalue() == ""
    console.job_closed(whole)
    return stream.getvalue().splitlines()


def test_nothing_is_said_if_all_is_well():
    skipped = replace(sample_report(2), result=Result.SKIP, detail="no network")
    assert said([sample_report(1), skipped], notices=["slow"], exit_code=0) == []


def test_each_reason_is_told_once_with_the_names_of_all_who_gave_it():
    reports = [failed(1, "link eth1 is down"), failed(2, "exit status 1")]
    reports += [failed(3, "link eth3 is down"), sample_report(4)]
    lines = said(reports)
    assert lines[0] == "FAIL 1a.sh: link eth1 is down (test, 0.26 s)"
    assert lines[1] == "  same: 3a.sh"
    assert lines[2] == "FAIL 2a.sh: exit status 1 (test, 0.26 s)"
    assert lines[3].startswith("1 PASS, 3 FAIL of 4, 900.2 s, /results/job-")
    assert len(lines) == 4


def test_the_last_lines_of_one_of_them_are_shown(tmp_path):
    (tmp_path / "out").write_text("".join(f"line {number}\n" for number in range(100)))
    lines = said([failed(1, outputs={"stdout": "out"})], tmp_path)
    assert lines[1] == "stdout | line 90".rjust(18)
    assert len(lines) == 12


def test_a_traceback_stands_for_the_output():
    lines = said([failed(1, traceback="Traceback:\n  File x\nOops: 1\n")])
    assert lines[1:4] == ["  Traceback:", "    File x", "  Oops: 1"]


@pytest.mark.parametrize("code", [2, 8])
def test_why_a_job_failed_without_a_failure_is_said(code):
    lines = said(
        [sample_report(1)], notices=["disk full"], exit_code=code, interrupted="by the user"
    )
    assert lines[:2] == ["notice: disk full", "cut short: by the user"]


def test_many_reasons_and_many_names_are_counted():
    reports = [failed(number, f"{'x' * number} no") for number in range(1, 31)]
    reports += [failed(number, "x no") for number in range(31, 81)]
    lines = said(reports)
    assert "and 10 more failures, each for another reason" in lines
    assert lines[1].endswith(" and 30 more")
    assert len(lines) < 30


def test_hostile_text_stays_on_its_line():
    for text in HOSTILE_TEXTS:
        report = failed(1, text, text, cause=Cause.INFRA, traceback=text)
        lines = said([report], interrupted=text, notices=[text])
        assert all(line.isprintable() for line in lines)
