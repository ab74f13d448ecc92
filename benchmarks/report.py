"""What was measured, as tables for people and as JSON for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
_HEAD = (
    "tool", "tests", "whole s", "one test s", "ms a test", "CPU ms", "x nrunner", "whole x",
    "spread", "main MB", "agent MB", "all MB",
)  # fmt: skip


def render_case(case: CaseFigures) -> str:
    """Return the table of a case, fastest first, and what came of the tools that failed."""
    measured = [each for each in case.outcomes if case.outcome(each.tool.name)]
    measured.sort(key=lambda each: median_or_none(case.per_test(each.tool.name)) or 0.0)
    figures = sorted({name for each in measured for name in each.figures})
    rows = [(*_row(case, each), *_figures(case, each, figures)) for each in measured]
    lines = [f"{each.tool.name}: out: {each.broken}\n" for each in case.outcomes if each.broken]
    return render_table((*_HEAD, *figures), rows) + "".join(lines)


def render_targets(figures: Figures) -> str:
    """Return the table of targets that could be looked at."""
    rows = [
        (
            target.text,
            f"{'>=' if target.at_least else '<='} {target.limit:g} {target.unit}",
            f"{value:.3g} {target.unit}",
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


def _row(case: CaseFigures, outcome: Outcome) -> tuple[str, ...]:
    name = outcome.tool.name
    return (
        name,
        f"{outcome.tests:,}",
        _number(median_or_none(outcome.seconds)),
        _number(median_or_none(outcome.one)),
        _milliseconds(case.per_test(name)),
        _milliseconds(case.cpu_per_test(name)),
        _number(case.ratio(name, OURS)),
        _number(case.whole_ratio(name, OURS)),
        _number(spread(outcome.seconds)),
        *(_megabytes(case.memory(name, part)) for part in ("main", "agent", "whole")),
    )


def _figures(case: CaseFigures, outcome: Outcome, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(_number(case.figure(outcome.tool.name, name)) for name in names)


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
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _milliseconds(seconds: Sequence[float]) -> str:
    value = median_or_none(seconds)
    return _number(None if value is None else value * 1000)


def _megabytes(kib: int | None) -> str:
    return "-" if kib is None else f"{kib / 1024:.1f}"
