"""Our reports as others read them: by published schemas, and by parsers that are not ours.

The input is a job with every result and cause, and hostile text wherever there can be text.
"""

import io
import json
import os
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
import tap.parser
from lxml import etree

from nrunner.result import Result
from nrunner.results.ctrf import CtrfReport
from nrunner.results.json_report import JsonReport
from nrunner.results.tap import TapReport
from nrunner.results.trace import TraceReport
from nrunner.results.xunit import XunitReport
from nrunner.schema import problems
from nrunner.testing.sample import HOSTILE_TEXTS, sample_job, sample_reports

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nrunner-tests"
SCHEMAS = Path(os.environ.get("NRUNNER_TEST_CACHE") or CACHE) / "schemas"
REPORTS = sample_reports()
FAILED = sum(not each.result.is_ok for each in REPORTS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The job's folder, with output that no format likes."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "stdout").write_bytes("\n".join(HOSTILE_TEXTS).encode("utf-8", "replace") + b"\xff")
    return folder


@pytest.fixture(scope="module")
def job(folder):
    return sample_job(REPORTS, folder)


def written(writer, job):
    stream = io.StringIO()
    writer.write(job, iter(REPORTS), stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def xml(job):
    return etree.fromstring(written(XunitReport(), job).encode())


def test_jenkins_accepts_our_junit_xml(xml):
    etree.XMLSchema(file=str(SCHEMAS / "jenkins.xsd")).assertValid(xml)


def test_surefire_would_have_written_our_suite(xml):
    [suite] = xml
    alone = etree.fromstring(etree.tostring(suite))
    etree.XMLSchema(file=str(SCHEMAS / "surefire.xsd")).assertValid(alone)


def test_the_counts_of_junit_xml_are_those_of_its_elements(xml):
    [suite] = xml
    assert int(suite.get("tests")) == len(suite.findall("testcase")) == len(REPORTS)
    for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped",) * 2):
        assert int(suite.get(attribute)) == len(suite.findall(f"testcase/{element}")) > 0


def test_attempts_are_rerun_elements_in_junit_xml(xml):
    assert len(xml.findall(".//rerunFailure")) > 0
    [first, *_] = xml.findall(".//rerunFailure/stackTrace")
    assert first.text == "exit status 1"


def test_the_last_lines_of_what_failed_are_in_junit_xml(xml):
    outputs = [each.text for each in xml.iter("system-out")]
    assert len(outputs) > 0
    assert "\\x1b[2J\\x1b[31mred" in outputs[0]


def test_ctrf_fits_its_schema_and_adds_up(job):
    report = json.loads(written(CtrfReport(), job))
    jsonschema.validate(report, json.loads((SCHEMAS / "ctrf.json").read_text()))
    told = Counter(each["status"] for each in report["results"]["tests"])
    summary = report["results"]["summary"]
    assert {name: summary[name] for name in told} == told
    assert summary["tests"] == sum(told.values()) == len(REPORTS)
    assert told["failed"] == FAILED


def test_tap_is_read_by_a_parser_that_is_not_ours(job):
    lines = written(TapReport(), job).split("\n")
    # That parser knows versions 12 and 13; what is new in 14 is not used but for the number.
    read = list(tap.parser.Parser().parse(io.StringIO("\n".join(["TAP version 13", *lines[1:]]))))
    points = [each for each in read if each.category == "test"]
    assert [each.number for each in points] == [each.number for each in REPORTS]
    assert sum(not each.ok for each in points) == FAILED
    # Nor does it know the escape that keeps a "#" of a name from being a directive.
    plain = [each for each in REPORTS if "#" not in each.id]
    numbers = {each.number for each in plain}
    skipped = {each.number for each in plain if each.result in (Result.SKIP, Result.CANCEL)}
    assert {each.number for each in points if each.skip} & numbers == skipped
    assert [each.category for each in read if each.category in ("unknown", "bail")] == []


def test_json_fits_our_schema(job):
    assert problems(json.loads(written(JsonReport(), job)), "results") == []


def test_a_trace_is_what_chromes_format_asks_for(job):
    trace = json.loads(written(TraceReport(), job))
    events = trace["traceEvents"]
    for event in events:
        assert event["ph"] in "XMbe"
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["ts"] >= 0
        assert event["ph"] != "X" or event["dur"] >= 0
    named = {(each["pid"], each["tid"]) for each in events if each["name"] == "thread_name"}
    assert {(each["pid"], each["tid"]) for each in events if each["ph"] == "X"} == named
    begun = sum(each.time_start is not None for task in REPORTS for each in task.attempts)
    assert sum(each["ph"] == "X" for each in events) == begun
    slots: dict[tuple[int, int], float] = {}
    for event in events:
        if event["ph"] == "X":
            key = (event["pid"], event["tid"])
            assert event["ts"] >= slots.get(key, 0.0)
            slots[key] = event["ts"] + event["dur"]
