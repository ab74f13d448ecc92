import io
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from nrunner.result import Cause, Result
from nrunner.results.xunit import XunitReport
from nrunner.testing.sample import sample_attempt, sample_job, sample_report


def case_of(report, folder=None):
    stream = io.StringIO()
    XunitReport().write(sample_job([report], folder), [report], stream)
    return ElementTree.fromstring(stream.getvalue()).find(".//testcase")


def test_it_is_what_it_declares_to_be_on_a_stream_of_another_encoding():
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="iso8859-1")
    reports = [sample_report(1, "caf\xe9 \u2603")]
    XunitReport().write(sample_job(reports), reports, stream)
    stream.flush()
    case = ElementTree.fromstring(buffer.getvalue()).find(".//testcase")
    assert case.get("name") == "caf\xe9 \u2603"


@pytest.mark.parametrize(
    ("name", "suite", "expected"),
    [
        ("tests/net/test_a.py:Test.test_1", "", ("tests.net.test_a.Test", "test_1")),
        ("test_a.py:test_1", "", ("test_a", "test_1")),
        ("/bin/true", "", ("python-unittest", "/bin/true")),
        ("http://x:80/a.b", "", ("python-unittest", "http://x:80/a.b")),
        ("test_a.py:Test.test_1", "smoke", ("smoke.test_a.Test", "test_1")),
    ],
)
def test_readers_who_know_classes_get_one(name, suite, expected):
    case = case_of(replace(sample_report(1, name), suite=suite))
    assert (case.get("classname"), case.get("name")) == expected


def test_a_variant_is_part_of_the_name():
    case = case_of(replace(sample_report(1, "a.py:T.t;small"), variant="small"))
    assert case.get("name") == "t;small"


@pytest.mark.parametrize(
    ("result", "element"),
    [
        (Result.FAIL, "failure"),
        (Result.ERROR, "error"),
        (Result.INTERRUPT, "error"),
        (Result.SKIP, "skipped"),
        (Result.CANCEL, "skipped"),
    ],
)
def test_each_result_that_is_no_pass_has_its_element(result, element):
    case = case_of(replace(sample_report(), result=result, detail="because\nof that"))
    assert [each.tag for each in case] == [element]
    assert case[0].get("message") == "because"


@pytest.mark.parametrize("result", [Result.PASS, Result.WARN])
def test_what_is_fine_at_once_has_no_element(result):
    assert list(case_of(replace(sample_report(), result=result))) == []


def test_failures_before_a_good_end_are_flaky_and_before_a_bad_one_reruns():
    error = replace(sample_attempt(2), result=Result.ERROR, cause=Cause.INFRA, detail="link lost")
    attempts = (sample_attempt(1), error, sample_attempt(3))
    ended_well = replace(sample_report(), result=Result.WARN, attempts=attempts)
    assert [each.tag for each in case_of(ended_well)] == ["flakyFailure", "flakyError"]
    ended_badly = replace(ended_well, result=Result.FAIL)
    tags = [each.tag for each in case_of(ended_badly)]
    assert tags == ["failure", "rerunFailure", "rerunError"]
    rerun = case_of(ended_badly).find("rerunError")
    assert (rerun.get("type"), rerun.find("stackTrace").text) == ("infra", "link lost")


def test_what_cannot_be_in_xml_is_an_escape_and_markup_is_text():
    case = case_of(replace(sample_report(), result=Result.FAIL, detail="\0 \x1b[1m ]]> <b> \ud800"))
    assert case.find("failure").text == "\\x00 \\x1b[1m ]]> <b> \\ud800"


def test_output_of_what_failed_is_there_and_of_what_passed_is_not(tmp_path):
    (tmp_path / "out").write_bytes(b"the end\n")
    passed = replace(sample_report(), outputs={"stdout": "out"})
    assert case_of(passed, tmp_path).find("system-out") is None
    failed = replace(passed, result=Result.FAIL, detail="x")
    assert case_of(failed, tmp_path).find("system-out").text == "the end\n"
