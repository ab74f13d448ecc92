"""What was measured, as tables for people and as JSON for programs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.figure import CaseFigures, Figures
from benchmarks.peer import Installed
from benchmarks.series import Outcome
from benchmarks.statistic import median_or_none, spread
from benchmarks.table import render_table
from benchmarks.target import verdicts
from benchmarks.tool import OURS

__all__ = ["FORMAT", "render_case", "render_peers", "render_targets", "to_json"]

FORMAT = 1
_NOTHING = "-"
_Cell = Callable[[CaseFigures, Outcome], str]


def render_case(case: CaseFigures) -> str:
    """Return the table of a case, fastest first, and what came of the tools that failed.

    Columns of which nothing was measured are left out.
    """
    measured = [each for each in case.outcomes if case.outcome(each.tool.name)]
    measured.sort(key=lambda each: median_or_none(case.per_test(each.tool.name)) or 0.0)
    columns = []
    for name, cell in (*_COLUMNS.items(), *_own_columns(measured)):
        cells = [cell(case, outcome) for outcome in measured]
        if set(cells) != {_NOTHING}:
            columns.append((name, *cells))
    head, *rows = zip(*columns, strict=True)
    lines = [f"{each.tool.name}: out: {each.broken}\n" for each in case.outcomes if each.broken]
    return (render_table(head, rows) if rows else "") + "".join(lines)


def render_targets(figures: Figures) -> str:
    """Return the table of targets that could be looked at."""
    rows = [
        (
            target.text,
            f"{'>=' if target.at_least else '<='} {target.limit:,g} {target.unit}",
            f"{_number(value)} {target.unit}",
            "holds" if target.holds(value) else "DOES NOT HOLD",
        )
        for target, value in verdicts(figures)
    ]
    return render_table(("target", "bound", "measured", "verdict"), rows) if rows else ""


def render_peers(installed: Iterable[Installed]) -> str:
    """Return what was compared with, and what was left out, and why."""
    lines = [
        f"{each.name}: {each.version}" if each.folder else f"{each.name}: LEFT OUT: {each.reason}"
        for each in installed
    ]
    return "".join(f"{line}\n" for line in lines)


def to_json(
    figures: Figures, installed: Iterable[Installed], machine: Mapping[str, object]
) -> dict[str, Any]:
    """Return everything as JSON: raw values of each round, and what was made of them."""
    return {
        "format": FORMAT,
        "machine": dict(machine),
        "peers": {each.name: each.version for each in installed if each.folder},
        "left_out": {each.name: each.reason for each in installed if not each.folder},
        "cases": [_case_json(case) for case in figures.cases],
        "targets": [
            {
                "target": target.text,
                "limit": target.limit,
                "at_least": target.at_least,
                "value": value,
                "holds": target.holds(value),
            }
            for target, value in verdicts(figures)
        ],
    }


def _own_columns(outcomes: Sequence[Outcome]) -> list[tuple[str, _Cell]]:
    """Return a column for each figure that a tool told of itself."""
    names = sorted({name for each in outcomes for name in each.figures})
    return [(name, partial(_own_figure, name)) for name in names]


def _own_figure(name: str, case: CaseFigures, outcome: Outcome) -> str:
    return _number(case.figure(outcome.tool.name, name))


def _case_json(case: CaseFigures) -> dict[str, Any]:
    return {
        "workload": case.case.workload,
        "label": case.case.label,
        "parallel": case.case.parallel,
        "tools": [_outcome_json(case, outcome) for outcome in case.outcomes],
    }


def _outcome_json(case: CaseFigures, outcome: Outcome) -> dict[str, Any]:
    name = outcome.tool.name
    return {
        "name": name,
        "tests": outcome.tests,
        "broken": outcome.broken or None,
        "seconds": outcome.seconds,
        "cpu": outcome.cpu,
        "first_output": outcome.first_output,
        "one": outcome.one,
        "one_cpu": outcome.one_cpu,
        "figures": outcome.figures,
        "memory_kib": {part: case.memory(name, part) for part in ("main", "agent", "whole")},
        "per_test_seconds": median_or_none(case.per_test(name)),
        "of_ours": case.ratio(name, OURS),
        "whole_of_ours": case.whole_ratio(name, OURS),
    }


def _number(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _milliseconds(seconds: Sequence[float]) -> str:
    value = median_or_none(seconds)
    return _number(None if value is None else value * 1000)


def _megabytes(part: str, case: CaseFigures, outcome: Outcome) -> str:
    kib = case.memory(outcome.tool.name, part)
    return _NOTHING if kib is None else f"{kib / 1024:.1f}"


def _per_test(case: CaseFigures, outcome: Outcome) -> str:
    return _milliseconds(case.per_test(outcome.tool.name)) if outcome.one else _NOTHING


def _ratio(case: CaseFigures, outcome: Outcome) -> str:
    return _number(case.ratio(outcome.tool.name, OURS)) if outcome.one else _NOTHING


def _of_ideal(case: CaseFigures, outcome: Outcome) -> str:
    ideal = case.case.own_seconds * outcome.tests / case.case.parallel
    whole = median_or_none(outcome.seconds)
    return _number(whole / ideal) if ideal and whole else _NOTHING


_COLUMNS: Mapping[str, _Cell] = {
    "tool": lambda case, outcome: outcome.tool.name,
    "tests": lambda case, outcome: f"{outcome.tests:,}",
    "whole s": lambda case, outcome: _number(median_or_none(outcome.seconds)),
    "first output ms": lambda case, outcome: _milliseconds(outcome.first_output),
    "one test s": lambda case, outcome: _number(median_or_none(outcome.one)),
    "ms a test": _per_test,
    "CPU ms a test": lambda case, outcome: _milliseconds(case.cpu_per_test(outcome.tool.name)),
    "of ideal": _of_ideal,
    "a test, of ours": _ratio,
    "whole, of ours": lambda case, outcome: _number(case.whole_ratio(outcome.tool.name, OURS)),
    "spread": lambda case, outcome: _number(spread(outcome.seconds)),
    "main MB": partial(_megabytes, "main"),
    "agent MB": partial(_megabytes, "agent"),
    "all MB": partial(_megabytes, "whole"),
}
"""What a table shows of each tool. A test's time is shown where the start-up could be taken off;
spread is the slowest round as a multiple of the fastest; memory is the peak of the process that was
started, of nrunner's agent, and of all processes together."""
