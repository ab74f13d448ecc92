import io
from dataclasses import replace

import pytest

from nrunner.result import Result
from nrunner.results.ci import ci_notes
from nrunner.testing.sample import HOSTILE_TEXTS, sample_job, sample_report

GITHUB = {"GITHUB_ACTIONS": "true"}
GITLAB = {"GITLAB_CI": "true"}


def said(environ, *reports, folder=None):
    stream = io.StringIO()
    notes = ci_notes(stream, environ)
    for each in reports:
        notes.task_settled(each)
    notes.job_closed(sample_job(reports, folder))
    return stream.getvalue()


def failed(**more):
    report = replace(
        sample_report(), result=Result.FAIL, detail="assert 1 == 2\nsecond, line: 100%"
    )
    return replace(report, uri="tests/test_a.py:Test.test_1", **more)


def test_elsewhere_there_is_nobody_to_tell():
    assert ci_notes(io.StringIO(), {"GITHUB_ACTIONS": "false"}) is None


def test_github_gets_an_annotation_at_the_line_that_failed():
    traceback = (
        'Traceback:\n  File "/x/tests/test_a.py", line 7, in test_1\n'
        '  File "/x/helper.py", line 3, in f\nAssertionError\n'
    )
    assert said(GITHUB, failed(traceback=traceback), sample_report(2)) == (
        "::error file=tests/test_a.py,line=7,title=FAIL tests.py%3ATest.test_1"
        "::assert 1 == 2%0Asecond, line: 100%25\n"
    )


@pytest.mark.parametrize(
    ("uri", "where"),
    [("tests/t.sh", "file=tests/t.sh,title="), ("/bin/false", "title="), (None, "")],
)
def test_github_gets_what_is_known_of_the_place(uri, where):
    assert said(GITHUB, replace(failed(), uri=uri)).startswith(f"::error {where}")


def test_gitlab_gets_a_folded_section_with_the_last_lines(tmp_path):
    (tmp_path / "out").write_text("the end\n")
    report = replace(failed(), outputs={"stdout": "out"}, time_end=1000.5)
    lines = said(GITLAB, report, folder=tmp_path).splitlines()
    assert lines[0] == "\x1b[0Ksection_start:1000:nrunner_task_1[collapsed=true]"
    assert "FAIL tests.py:Test.test_1: assert 1 == 2" in lines[1]
    assert lines[-3:-1] == ["     stdout | the end", "\x1b[0Ksection_end:1000:nrunner_task_1"]


@pytest.mark.parametrize("environ", [GITHUB, GITLAB])
def test_no_text_of_a_test_is_a_command_of_its_own(environ):
    for text in (*HOSTILE_TEXTS, "\n::set-output name=x::y", "\r\x1b[0Ksection_end:1:x\r"):
        report = replace(failed(), id=f"1-{text}", detail=text, traceback=text, uri=text)
        out = said(environ, report)
        if environ is GITHUB:
            assert all(line.startswith("::error ") for line in out.splitlines())
        assert out.count("\x1b") == (0 if environ is GITHUB else 4)


def test_only_so_many_are_told_of():
    reports = [replace(failed(), number=number) for number in range(1, 80)]
    assert said(GITHUB, *reports).count("::error") == 50
