import io
import json
from dataclasses import fields, replace
from types import MappingProxyType

import msgspec
import pytest
from jsonschema import Draft202012Validator

from nrunner.phase import Phase
from nrunner.result import Cause, Result
from nrunner.results.base import AttemptReport, TaskReport
from nrunner.results.json_report import JsonReport
from nrunner.schema import load_schema
from nrunner.testing.sample import (
    HOSTILE_TEXTS,
    sample_attempt,
    sample_job,
    sample_report,
    sample_reports,
)

AVOCADOS_NAMES = {
    "job_id", "debuglog", "total", "pass", "failures", "errors", "skip", "warn", "interrupt",
    "cancel", "time", "start",
}  # fmt: skip
AVOCADOS_NAMES_OF_TESTS = {
    "id", "name", "status", "fail_reason", "logdir", "logfile", "whiteboard", "tags",
    "time_start", "time_end", "time_elapsed", "actual_time_start", "actual_time_end",
}  # fmt: skip


def written(job, reports, stream=None):
    stream = stream or io.StringIO()
    JsonReport().write(job, iter(reports), stream)
    return stream.getvalue()


def entry(report):
    return json.loads(written(sample_job([report]), [report]))["tests"][0]


def test_the_names_that_avocados_users_parse_are_there():
    reports = [sample_report()]
    data = json.loads(written(sample_job(reports), reports))
    assert AVOCADOS_NAMES - data.keys() == set()
    assert AVOCADOS_NAMES_OF_TESTS - data["tests"][0].keys() == set()


def test_every_result_cause_and_hostile_text_fits_the_schema():
    schema = load_schema("results")
    Draft202012Validator.check_schema(schema)
    reports = sample_reports()
    data = json.loads(written(sample_job(reports), reports))
    errors = [
        f"{list(error.path)}: {error.message[:200]}"
        for error in Draft202012Validator(schema).iter_errors(data)
    ]
    assert errors == []
    assert len(data["tests"]) == data["total"] == len(reports)
    assert {each["cause"] for each in data["tests"]} == {cause.value for cause in Cause}
    assert {each["status"] for each in data["tests"]} == {result.value for result in Result}


def test_the_schema_knows_every_phase_result_and_cause():
    definitions = load_schema("results")["$defs"]
    assert definitions["status"]["enum"] == [each.value for each in Result]
    assert definitions["cause"]["enum"] == [each.value for each in Cause]
    phases = definitions["phase"]["properties"]["phase"]["enum"]
    assert phases == [each.value for each in Phase]


@pytest.mark.parametrize("key", ["status", "phases", "fail_reason"])
def test_the_schema_refuses_an_entry_that_lacks_a_field(key):
    data = json.loads(written(sample_job([sample_report()]), [sample_report()]))
    del data["tests"][0][key]
    errors = list(Draft202012Validator(load_schema("results")).iter_errors(data))
    assert [error.validator for error in errors] == ["required"]


def test_a_strict_reader_takes_hostile_text():
    reports = sample_reports()
    data = msgspec.json.decode(written(sample_job(reports), reports).encode("utf-8"))
    details = {each["detail"] for each in data["tests"]}
    kept = {text for text in HOSTILE_TEXTS if "\ud800" not in text}
    assert kept <= details
    assert r"lone \ud800 and \udfff and \udcff" in details


def test_every_field_of_a_report_is_written():
    marked = replace(
        sample_report(),
        **{
            field.name: f"<{field.name}>"
            for field in fields(TaskReport)
            if field.type in ("str", "str | None") and field.name != "id"
        },
    )
    text = json.dumps(entry(marked))
    assert [
        field.name
        for field in fields(TaskReport)
        if field.type in ("str", "str | None") and f"<{field.name}>" not in text
        if field.name != "id"
    ] == []


def test_every_field_of_an_attempt_is_written():
    attempt = entry(replace(sample_report(), attempts=(sample_attempt(),)))["attempts"][0]
    assert len(attempt) == len(fields(AttemptReport))
    assert attempt["leaks"] == [{"pid": 4321, "command": "sleep 1000", "age": 0.2}]


def test_counts_go_by_avocados_names():
    counts = {result: number for number, result in enumerate(Result, 1)}
    data = json.loads(written(replace(sample_job(), tally=counts), []))
    keys = ["pass", "failures", "errors", "skip", "warn", "interrupt", "cancel"]
    assert [data[key] for key in keys] == list(range(1, 8))


def test_the_name_is_the_id_without_number_and_variant():
    report = replace(sample_report(), id="01-t.py:T.test;small", variant="small")
    assert entry(report)["name"] == "t.py:T.test"
    assert entry(replace(report, variant=None))["name"] == "t.py:T.test;small"


def test_paths_of_a_task_are_absolute_and_null_without_files():
    data = entry(replace(sample_report(), outputs={"debug.log": "test-results/1/debug.log"}))
    assert data["logfile"] == "/results/job-2026-11-22T10.15-f59bd40/test-results/1/debug.log"
    assert data["logdir"].startswith("/results/job-2026-11-22T10.15-f59bd40/test-results/1-")
    data = entry(replace(sample_report(), log_dir=None, outputs={}))
    assert data["logfile"] is data["logdir"] is None


@pytest.mark.parametrize(
    ("names", "log"),
    [
        (("stdout", "stderr", "debug.log"), "debug.log"),
        (("stderr", "stdout"), "stdout"),
        (("output", "stderr"), "stderr"),
        (("output",), None),
    ],
)
def test_the_log_of_a_test_is_the_best_that_it_has(names, log):
    data = entry(
        replace(sample_report(), outputs={name: f"test-results/1/{name}" for name in names})
    )
    assert (data["logfile"] or "/None").rpartition("/")[2] == str(log)


def test_times_start_when_the_last_attempt_did():
    phases = (
        (Phase.STARTED, 1.0),
        (Phase.FINISHED, 2.0),
        (Phase.READY, 2.0),
        (Phase.STARTED, 3.0),
        (Phase.FINISHED, 3.5),
    )
    data = entry(replace(sample_report(), phases=phases, elapsed=0.5))
    assert (data["time_start"], data["time_end"], data["time_elapsed"]) == (3.0, 3.5, 0.5)
    assert [each["duration"] for each in data["phases"]] == [1.0, 0.0, 1.0, 0.5, 0.0]


def test_a_task_without_any_phase_can_be_written():
    assert entry(replace(sample_report(), phases=()))["time_start"] == 0.0


def test_each_task_is_one_line():
    reports = sample_reports()
    lines = written(sample_job(reports), reports).split("\n")
    assert sum(line.startswith('  {"id":') for line in lines) == len(reports)


def test_mappings_that_are_not_dicts_are_objects():
    tags = MappingProxyType({"a": None})
    assert entry(replace(sample_report(), tags=tags))["tags"] == {"a": None}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "UTF8"])
def test_any_encoding_of_the_stream_gives_the_same_data(encoding):
    reports = [replace(sample_report(), detail=text) for text in HOSTILE_TEXTS]
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding)
    JsonReport().write(sample_job(reports), iter(reports), stream)
    stream.flush()
    assert json.loads(buffer.getvalue().decode(encoding)) == json.loads(
        written(sample_job(reports), reports)
    )
