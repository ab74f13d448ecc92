"""Tables, targets and JSON made of measurements."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.figure import CaseFigures, Figures
from benchmarks.gauge import Memory
from benchmarks.peer import Installed
from benchmarks.report import render_case, render_peers, render_targets, to_json
from benchmarks.series import Outcome
from benchmarks.table import render_table
from benchmarks.target import TARGETS, verdicts
from benchmarks.tool import OURS, Case, Command, Site, Tool
from benchmarks.workloads import WORKLOADS


def _prepare(site: Site) -> Command:
    return Command(("true",))


def _tool(name: str) -> Tool:
    return Tool(name, name, _prepare)


def _outcome(name: str, seconds: list[float], one: list[float], kib: int = 0) -> Outcome:
    return Outcome(
        _tool(name), 1000, seconds, list(seconds), one=one, one_cpu=list(one), memory=Memory(kib)
    )


def _figures(label: str, *outcomes: Outcome, workload: str = "W1", tests: int = 1000) -> Figures:
    tools = tuple(outcome.tool for outcome in outcomes)
    case = Case(workload, label, tools, tests, 2)
    return Figures((CaseFigures(case, outcomes),))


def _cells(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_columns_of_a_table_line_up():
    assert render_table(("tool", "s"), [("a", "10"), ("longer", "1")]) == (
        "| tool   |  s |\n| ------ | -: |\n| a      | 10 |\n| longer |  1 |\n"
    )


def test_the_fastest_tool_comes_first():
    figures = _figures(
        "x", _outcome(OURS, [2.0], [0.0], 1024), _outcome("xargs", [1.0], [0.0]), workload="W9"
    )
    head, _, *rows = _cells(render_case(figures.cases[0]))
    assert [row[0] for row in rows] == ["xargs", OURS]
    assert dict(zip(head, rows[0], strict=True))["whole, of ours"] == "0.5"
    assert dict(zip(head, rows[1], strict=True))["main MB"] == "1.0"


def test_columns_of_which_nothing_was_measured_are_left_out():
    table = render_case(_figures("x", _outcome(OURS, [2.0], [])).cases[0])
    assert "one test s" not in table
    assert "agent MB" not in table
    assert "whole s" in table


def test_a_tool_that_did_not_do_the_work_is_named_with_the_reason_and_has_no_row():
    broken = _outcome("meson", [1.0], [0.1])
    broken.broken = "ran 3 tests, not 1000"
    table = render_case(_figures("x", _outcome(OURS, [2.0], [0.1]), broken).cases[0])
    assert [row[0] for row in _cells(table)[2:]] == [OURS]
    assert "meson: out: ran 3 tests, not 1000" in table


def test_figures_that_a_tool_tells_of_itself_get_columns():
    outcome = _outcome(OURS, [1.0], [])
    outcome.figures = {"messages/s": [1000.0, 3000.0, 2000.0]}
    head, _, row = _cells(render_case(_figures("x", outcome).cases[0]))
    assert dict(zip(head, row, strict=True))["messages/s"] == "2,000"


def test_a_target_says_whether_it_holds():
    good = _figures("parallelism 2", _outcome(OURS, [1.3], [0.0]), _outcome("xargs", [1.0], [0.0]))
    bad = _figures("parallelism 2", _outcome(OURS, [1.5], [0.0]), _outcome("xargs", [1.0], [0.0]))
    assert _cells(render_targets(good))[2][-2:] == ["1.3 x", "holds"]
    assert _cells(render_targets(bad))[2][-2:] == ["1.5 x", "DOES NOT HOLD"]


def test_a_target_that_was_not_measured_is_not_judged():
    figures = _figures("parallelism 2", _outcome("xargs", [1.0], [0.0]))
    assert list(verdicts(figures)) == []
    assert render_targets(figures) == ""


def test_memory_for_each_further_task_is_taken_from_two_cases():
    few = _figures("1,000 x noop", _outcome(OURS, [1.0], [0.1], 20_000), workload="W5")
    many = _figures(
        "10,000 x noop", _outcome(OURS, [9.0], [0.1], 29_000), workload="W5", tests=10_000
    )
    found = {target.text: value for target, value in verdicts(Figures(few.cases + many.cases))}
    assert found["W5: 10,000 x noop, memory for each further task"] == 1.0


def test_every_target_looks_at_a_case_that_exists():
    cases = [case for module in WORKLOADS.values() for case in module.cases(False)]
    figures = Figures(tuple(_measured(case) for case in cases))
    seen = {target.text for target, _ in verdicts(figures)}
    assert [target.text for target in TARGETS if target.text not in seen] == []


def test_every_case_has_a_name_of_its_own_and_a_tool_it_is_compared_with():
    cases = [case for module in WORKLOADS.values() for case in module.cases(False)]
    assert len({case.key for case in cases}) == len(cases)
    named = [case for case in cases if case.reference]
    assert [c.key for c in named if c.reference not in {tool.name for tool in c.tools}] == []


def test_the_short_form_measures_a_part_of_the_whole():
    for module in WORKLOADS.values():
        whole = {case.key for case in module.cases(False)}
        short = {case.key for case in module.cases(True)}
        assert short
        assert short <= whole


def test_json_holds_each_round_and_what_was_left_out():
    figures = _figures("x", _outcome(OURS, [2.0, 3.0], [0.5, 0.5], 100))
    installed = [
        Installed(OURS, folder=Path("bin"), version="1"),
        Installed("kyua", reason="kyua is not here"),
    ]
    document = json.loads(json.dumps(to_json(figures, installed, {"processors": 2})))
    assert document["left_out"] == {"kyua": "kyua is not here"}
    assert document["peers"] == {OURS: "1"}
    [tool] = document["cases"][0]["tools"]
    assert tool["seconds"] == [2.0, 3.0]
    assert tool["memory_kib"]["main"] == 100
    assert "kyua: LEFT OUT: kyua is not here" in render_peers(installed)


def _measured(case: Case) -> CaseFigures:
    """Return a case of which everything was measured."""
    names = ("messages/s", "lag p99 ms", "job s", "peak MiB")
    figures = {name: [1.0] for name in names}
    outcomes = [
        Outcome(tool, 2, [2.0], [2.0], one=[1.0], one_cpu=[1.0], figures=figures)
        for tool in case.tools
    ]
    return CaseFigures(
        case, tuple(replace(each, memory=Memory(1000, 1000, 1000)) for each in outcomes)
    )
