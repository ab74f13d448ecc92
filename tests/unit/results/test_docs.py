"""docs/results.md against what is written."""

import io
import re
from dataclasses import replace
from pathlib import Path

from nrunner.result import Result
from nrunner.results.tap import TapReport
from nrunner.schema import load_schema
from nrunner.testing.sample import sample_job, sample_report

TEXT = (Path(__file__).parents[3] / "docs" / "results.md").read_text("utf-8")


def _section(title):
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def _documented(part):
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return set(re.findall(r"`(\w+)`", " ".join(rows)))


def test_every_field_of_results_json_is_documented_and_no_other():
    schema = load_schema("results")
    job, tests = _section("results.json").split("Each of `tests`:")
    assert _documented(job) == set(schema["properties"])
    assert _documented(tests) == set(schema["$defs"]["test"]["properties"])


def test_every_field_of_attempts_and_phases_is_documented():
    definitions = load_schema("results")["$defs"]
    for name, definition in (("attempts", "attempt"), ("phases", "phase")):
        (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |"))
        assert set(definitions[definition]["properties"]) <= set(re.findall(r"`(\w+)`", row))


def test_the_tap_shown_is_the_tap_written():
    reports = [
        replace(sample_report(1, "/bin/true")),
        replace(
            sample_report(2, "/bin/false"),
            result=Result.FAIL,
            detail="exit status 1",
            elapsed=0.002,
            returncode=1,
            class_name=None,
            log_dir="test-results/2-_bin_false",
        ),
        replace(sample_report(3), result=Result.SKIP, detail="no network"),
    ]
    stream = io.StringIO()
    TapReport().write(sample_job(reports), reports, stream)
    shown = "".join(f"    {line}\n" for line in stream.getvalue().splitlines())
    assert shown in _section("results.tap")
