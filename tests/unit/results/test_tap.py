import io
import re
from dataclasses import replace

import pytest

from nrunner.result import Cause, Result
from nrunner.results.tap import TapReport
from nrunner.runners.tap_parser import TapParser
from nrunner.testing.sample import (
    HOSTILE_TEXTS,
    sample_attempt,
    sample_job,
    sample_report,
    sample_reports,
)


def written(reports, **changes):
    stream = io.StringIO()
    TapReport().write(replace(sample_job(reports), **changes), iter(reports), stream)
    return stream.getvalue()


def one(**changes):
    return written([replace(sample_report(), **changes)]).split("\n")[2:-1]


def read(text):
    parser = TapParser()
    parser.feed(text.encode("utf-8"))
    return parser.close()


def test_a_parser_reads_every_result_cause_and_hostile_text():
    reports = sample_reports()
    summary = read(written(reports))
    assert summary.errors == ()
    assert summary.bail_out is None
    assert summary.planned == summary.ran == len(reports)
    bad = (Result.FAIL, Result.ERROR, Result.INTERRUPT)
    assert summary.failed == sum(report.result in bad for report in reports)
    skipped = (Result.SKIP, Result.CANCEL)
    assert summary.skipped == sum(report.result in skipped for report in reports)


def test_a_missing_task_shows_as_a_broken_plan():
    assert read(written([sample_report(1)], total=2)).errors != ()


def test_a_pass_is_one_line():
    assert one() == ["ok 1 - tests.py:Test.test_1"]


def test_what_a_test_did_when_it_passed_a_limit_is_among_the_diagnostics():
    attempts = (replace(sample_attempt(), doing='sleep "9" waits'),)
    lines = one(result=Result.INTERRUPT, detail="past its 9 s limit", attempts=attempts)
    assert r'  doing: "sleep \"9\" waits"' in lines


def test_a_failure_has_diagnostics():
    lines = one(result=Result.FAIL, detail="exit status 1", returncode=1, traceback='a\n "b"\n')
    assert lines[:2] == ["not ok 1 - tests.py:Test.test_1", "  ---"]
    assert lines[-1] == "  ..."
    assert '  message: "exit status 1"' in lines
    assert "  returncode: 1" in lines
    assert '  traceback: "a\\n \\"b\\"\\n"' in lines


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (Result.SKIP, "ok 1 - tests.py:Test.test_1 # SKIP why \\#1"),
        (Result.CANCEL, "ok 1 - tests.py:Test.test_1 # SKIP cancelled: why \\#1"),
    ],
)
def test_what_did_not_run_is_skipped_with_the_reason(result, line):
    assert one(result=result, detail="why #1") == [line]
    assert one(result=result, detail="")[0].startswith("ok 1 - tests.py:Test.test_1 # SKIP")


def test_a_warning_is_ok_with_diagnostics():
    lines = one(result=Result.WARN, cause=Cause.TEST, detail="left a process behind")
    assert lines[0] == "ok 1 - tests.py:Test.test_1"
    assert '  result: "WARN"' in lines


def test_a_pass_after_more_than_one_attempt_says_so():
    assert "  attempts: 2" in one(attempts=(sample_attempt(1), sample_attempt(2)))


def test_a_name_cannot_be_a_directive():
    assert one(id="1-a # SKIP b \\ c") == ["ok 1 - a \\# SKIP b \\\\ c"]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_text_stays_within_its_line(text):
    lines = one(id=f"1-{text}", result=Result.FAIL, detail=text, traceback=text)
    assert re.fullmatch(r"not ok 1 - .*", lines[0])
    assert all(re.match(r"  [a-z_]+: ", line) for line in lines[2:-1])
    assert all(line.isprintable() for line in lines)


def unquoted(text):
    """Read the escapes of a double-quoted scalar of YAML 1.2 (section 5.7)."""
    letters = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}

    def character(match):
        escape = match[1]
        return letters[escape] if len(escape) == 1 else chr(int(escape[1:], 16))

    return re.sub(r"\\(x..|u.{4}|U.{8}|.)", character, text)


@pytest.mark.parametrize("text", [text for text in HOSTILE_TEXTS if "\ud800" not in text])
def test_a_reader_of_yaml_gets_the_very_text(text):
    lines = one(result=Result.FAIL, detail=text or "x")
    (line,) = (line for line in lines if line.startswith("  message: "))
    quoted = line.removeprefix("  message: ")
    assert quoted[0] == quoted[-1] == '"'
    assert unquoted(quoted[1:-1]) == (text or "x")


def test_half_a_character_is_shown_as_text():
    assert '  message: "a\\\\ud800"' in one(result=Result.FAIL, detail="a\ud800")


def test_why_a_job_was_cut_short_is_a_comment():
    text = written([sample_report()], interrupted="job timeout\nok 2")
    assert text.endswith("\n# cut short: job timeout\n")
