"""docs/from-avocado.md is complete, and each "same" in it names a test that there is."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
AVOCADO = json.loads((ROOT / "tests/fixtures/avocado/options.json").read_text("utf-8"))
HERE = "tests/functional/test_from_avocado.py"
WORDS = ("same", "better", "left out")
NAMES = re.compile(r"`((?:tests/[\w/]+\.py::)?test_\w+)`")


class Row(NamedTuple):
    """What the page says of one thing of Avocado's."""

    section: str
    names: tuple[str, ...]
    verdict: str
    how: str

    def __str__(self) -> str:
        return f"{self.section}: {', '.join(self.names)}"


def rows() -> list[Row]:
    """Read the tables of the page."""
    found, section = [], ""
    for line in (ROOT / "docs/from-avocado.md").read_text("utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| `") and section != "Settings":
            cells = [each.strip() for each in line.strip("|").split(" | ")]
            assert len(cells) == 3, line
            found.append(Row(section, tuple(re.findall("`([^`]+)`", cells[0])), *cells[1:]))
    return found


ROWS = rows()


def of(section: str) -> set[str]:
    return {name for row in ROWS if row.section == section for name in row.names}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))
    return frozenset(each.name for each in found if each.name.startswith("test_"))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_row_is_judged_and_has_its_test_or_its_reason(row: Row) -> None:
    assert row.verdict in WORDS
    named = NAMES.findall(row.how)
    if row.verdict == "same":
        assert named, "no test says so"
    else:
        assert NAMES.sub("", row.how).strip(), "no reason is given"
    for each in named:
        path, _, name = each.rpartition("::")
        assert name in names_in(path or HERE), f"there is no test {each}"


def test_nothing_is_judged_twice() -> None:
    seen = [(row.section, name) for row in ROWS for name in row.names]
    assert sorted(each for each in set(seen) if seen.count(each) > 1) == []


def test_every_command_of_avocado_has_a_row() -> None:
    commands = {name.split()[0] for name in AVOCADO["options"]} - {"avocado"}
    assert of("Commands") == commands


@pytest.mark.parametrize(
    ("section", "command"), [("Before the command", "avocado"), ("run", "run"), ("list", "list")]
)
def test_every_option_of_avocado_has_a_row(section: str, command: str) -> None:
    wanted = {name for names in AVOCADO["options"][command] for name in names}
    assert of(section) == wanted


def test_every_option_of_the_other_commands_has_a_row() -> None:
    wanted = {
        " ".join((command, *names[:1]))
        for command, options in AVOCADO["options"].items()
        if command not in ("avocado", "run", "list")
        for names in options
    }
    assert {row.names[0] for row in ROWS if row.section == "Other commands"} == wanted


def test_every_setting_of_avocado_is_read_or_passed_over_with_a_reason() -> None:
    text = (ROOT / "docs/from-avocado.md").read_text("utf-8")
    _, shared, others = text.partition("## Settings")[2].split("| in Avocado's file |")
    known = set(re.findall(r"^\| `([^`]+)`", shared, re.MULTILINE))
    known |= {f"job.run.result.{name}.enabled" for name in ("json", "xunit", "tap")}
    begins = [
        name
        for line in others.splitlines()
        if line.startswith("| `")
        for name in re.findall("`([^`]+)`", line.split(" | ")[0])
    ]
    left = [name for name in AVOCADO["settings"] if name not in known]
    assert [name for name in left if not any(map(name.startswith, begins))] == []
    assert [each for each in begins if not any(name.startswith(each) for name in left)] == []


FIELDS = {
    *("job_id", "debuglog", "total", "pass", "errors", "failures", "skip", "cancel", "warn"),
    *("interrupt", "time", "start"),
}
TEST_FIELDS = {
    *("id", "name", "status", "fail_reason", "tags", "whiteboard", "logdir", "logfile"),
    *("time_start", "time_end", "time_elapsed", "actual_time_start", "actual_time_end"),
}


def test_every_field_of_results_json_has_a_row_and_is_there() -> None:
    from nrunner.results.json_report import _job_fields, _task_fields
    from nrunner.testing.sample import sample_job, sample_report

    assert of("results.json") == FIELDS | {f"tests[].{name}" for name in TEST_FIELDS}
    assert set(_job_fields(sample_job())) >= FIELDS
    assert set(_task_fields(sample_report(), "")) >= TEST_FIELDS


def test_what_is_refused_with_a_reason_is_left_out_on_the_page() -> None:
    from nrunner.cli.familiar import ACCEPTED, LEFT_OUT

    left_out = {
        name.rpartition(" ")[2] for row in ROWS if row.verdict == "left out" for name in row.names
    }
    assert set(LEFT_OUT) - {"--mux-yaml"} <= left_out
    known = {name for row in ROWS for name in row.names}
    assert set(ACCEPTED) <= known
