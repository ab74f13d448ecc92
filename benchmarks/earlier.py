"""Figures that were measured earlier, read back from what ``--json`` wrote. Pure but for the files.

A full series takes an hour; so workloads can be measured one at a time, or one of them anew, and
shown together. A ratio is never taken across two sittings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.figure import CaseFigures
from benchmarks.gauge import Memory
from benchmarks.peer import Installed
from benchmarks.report import FORMAT
from benchmarks.series import Outcome
from benchmarks.tool import Case, Tool

__all__ = ["Earlier", "read_earlier"]

_LISTS = ("seconds", "cpu", "first_output", "one", "one_cpu")


class Earlier:
    """Cases and tools of earlier runs; where a case was measured twice, the later file counts."""

    def __init__(self) -> None:
        self.cases: dict[str, CaseFigures] = {}
        self.installed: dict[str, Installed] = {}

    def add(self, document: Mapping[str, Any], known: Mapping[str, Case]) -> None:
        """Add what a document holds of the cases that are `known`; raise ValueError."""
        if document.get("format") != FORMAT:
            raise ValueError(f"has format {document.get('format')}, not {FORMAT}")
        for data in document["cases"]:
            case = known.get(f"{data['workload']} {data['label']}")
            if case is not None:
                self.cases[case.key] = CaseFigures(case, tuple(_outcomes(data["tools"], case)))
        for name, version in document["peers"].items():
            self.installed[name] = Installed(name, Path(name), version)
        for name, reason in document["left_out"].items():
            self.installed.setdefault(name, Installed(name, reason=reason))

    def completed(
        self, measured: Iterable[CaseFigures], order: Iterable[str]
    ) -> tuple[CaseFigures, ...]:
        """Return what was measured now and, of all else in `order`, what was earlier."""
        found = {**self.cases, **{each.case.key: each for each in measured}}
        return tuple(found[key] for key in dict.fromkeys(order) if key in found)


def read_earlier(paths: Iterable[Path], known: Mapping[str, Case]) -> Earlier:
    """Read files that ``--json`` wrote; raise ValueError that names the file."""
    earlier = Earlier()
    for path in paths:
        try:
            earlier.add(json.loads(path.read_text(encoding="utf-8")), known)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from error
    return earlier


def _outcomes(rows: Iterable[Mapping[str, Any]], case: Case) -> Iterator[Outcome]:
    tools = {tool.name: tool for tool in case.tools}
    for row in rows:
        tool = tools.get(row["name"])
        if tool is not None:
            yield _outcome(row, tool)


def _outcome(row: Mapping[str, Any], tool: Tool) -> Outcome:
    main, agent, whole = (row["memory_kib"][part] or 0 for part in ("main", "agent", "whole"))
    return Outcome(
        tool,
        row["tests"],
        **{name: list(row[name]) for name in _LISTS},
        figures={name: list(values) for name, values in row["figures"].items()},
        memory=Memory(main, agent, whole) if main or agent or whole else None,
        broken=row["broken"] or "",
    )
