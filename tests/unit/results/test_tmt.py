"""Results for tmt are YAML with the words that tmt knows."""

import io
from dataclasses import replace

import pytest
import yaml

from nrunner.result import Result
from nrunner.results.tmt import TmtReport
from nrunner.testing.sample import sample_job, sample_report, sample_reports


def read(*reports):
    stream = io.StringIO()
    TmtReport().write(sample_job(reports), reports, stream)
    return yaml.safe_load(stream.getvalue())


def test_a_result_has_the_keys_of_tmt():
    report = replace(
        sample_report(2, "/bin/x y"),
        detail="because\nof that",
        result=Result.FAIL,
        time_start=1.5,
        time_end=3700.25,
        elapsed=3698.75,
        outputs={"stdout": "test-results/2-_bin_x_y/stdout"},
    )
    assert read(report) == [
        {
            "name": "/bin/x y",
            "result": "fail",
            "start-time": "1970-01-01T00:00:01.500000+00:00",
            "end-time": "1970-01-01T01:01:40.250000+00:00",
            "duration": "01:01:39",
            "note": ["because"],
            "log": ["test-results/2-_bin_x_y/stdout"],
            "data-path": str(sample_job().folder),
        }
    ]


@pytest.mark.parametrize(
    ("result", "word"),
    [
        *(("PASS", "pass"), ("WARN", "warn"), ("FAIL", "fail"), ("ERROR", "error")),
        *(("INTERRUPT", "error"), ("SKIP", "skip"), ("CANCEL", "skip")),
    ],
)
def test_each_result_has_its_word(result, word):
    assert read(replace(sample_report(), result=Result(result)))[0]["result"] == word


def test_no_text_of_a_test_breaks_the_list():
    reports = sample_reports()
    assert len(read(*reports)) == len(reports)


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
@pytest.mark.parametrize(
    "text",
    ["'\U0001f389' != 'x'", "\U00010000\U0002fa1d", "\\\U0001f600", r"\ud83c\udf89", "\t\xe9"],
)
def test_every_text_is_read_as_it_was_by_any_reader(loader, text):
    report = replace(sample_report(1, f"/bin/{text}"), detail=text, result=Result.FAIL)
    stream = io.StringIO()
    TmtReport().write(sample_job([report]), [report], stream)
    (found,) = yaml.load(stream.getvalue(), loader)
    assert found["name"] == f"/bin/{text}"
    assert found["note"] == [text.strip()]


def test_a_job_without_tests_is_an_empty_list():
    assert read() == []
