"""Figures of several sittings, shown together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.earlier import read_earlier
from benchmarks.figure import CaseFigures, Figures
from benchmarks.gauge import Memory
from benchmarks.peer import Installed
from benchmarks.report import render_case, to_json
from benchmarks.series import Outcome
from benchmarks.tool import OURS, Case, Command, Tool

TOOLS = tuple(Tool(name, name, lambda _: Command(("true",))) for name in (OURS, "xargs"))
ONE, TWO = (Case("W1", label, TOOLS, 100, 2) for label in ("one", "two"))
KNOWN = {case.key: case for case in (ONE, TWO)}


def figures(case: Case, seconds: float) -> CaseFigures:
    outcomes = [
        Outcome(
            tool, 100, [seconds * n], [1.0], [0.1], [0.01], [0.02], {"lag": [3.0]}, Memory(7, 5)
        )
        for n, tool in enumerate(TOOLS, 1)
    ]
    return CaseFigures(case, tuple(outcomes))


def written(path: Path, *cases: CaseFigures) -> Path:
    installed = [Installed("xargs", Path("/usr/bin"), "4.9"), Installed("kyua", reason="not here")]
    path.write_text(json.dumps(to_json(Figures(cases), installed, {})))
    return path


def test_what_was_written_is_shown_as_it_was(tmp_path: Path) -> None:
    case = figures(ONE, 2.0)
    earlier = read_earlier([written(tmp_path / "a.json", case)], KNOWN)
    (read,) = earlier.completed([], KNOWN)
    assert render_case(read) == render_case(case)
    assert earlier.installed["xargs"].version == "4.9"
    assert earlier.installed["kyua"].folder is None


def test_a_case_counts_as_it_was_measured_last(tmp_path: Path) -> None:
    first = written(tmp_path / "a.json", figures(ONE, 2.0), figures(TWO, 2.0))
    second = written(tmp_path / "b.json", figures(TWO, 4.0))
    earlier = read_earlier([first, second], KNOWN)
    one, two = earlier.completed([figures(ONE, 8.0)], KNOWN)
    assert (one.case.key, two.case.key) == ("W1 one", "W1 two")
    seconds = [each.outcomes[0].seconds for each in (one, two)]
    assert seconds == [[8.0], [4.0]]


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "Expecting"), ('{"format": 99}', "format 99"), ("[]", "list")]
)
def test_a_file_that_holds_no_figures_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"bad.json: .*{reason}"):
        read_earlier([path], KNOWN)
