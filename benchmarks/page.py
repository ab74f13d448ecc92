"""Writes the figures of a run into a document, between two marks. Pure but for the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.figure import Figures
from benchmarks.peer import Installed
from benchmarks.report import render_case, render_peers, render_targets
from benchmarks.table import render_table

__all__ = ["BEGIN", "END", "render_page", "replace_figures", "write_page"]

BEGIN = "<!-- figures: begin (make bench) -->"
END = "<!-- figures: end -->"


def write_page(path: Path, figures: str) -> None:
    """Replace the figures in a document."""
    path.write_text(replace_figures(path.read_text(encoding="utf-8"), figures), encoding="utf-8")


def replace_figures(text: str, figures: str) -> str:
    """Return a document with what stands between the marks replaced; raise ValueError."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{figures.strip()}\n\n{END}{after}"


def render_page(
    figures: Figures,
    installed: Iterable[Installed],
    machine: Mapping[str, object],
    titles: Mapping[str, str],
) -> str:
    """Return all tables as Markdown: the machine, the targets, the cases, the tools."""
    facts = [(name.replace("_", " "), str(value)) for name, value in machine.items()]
    parts = ["### The machine", render_table(("fact", "value"), facts)]
    if targets := render_targets(figures):
        parts += ["### Targets", targets]
    last = ""
    for case in figures.cases:
        if case.case.workload != last:
            last = case.case.workload
            parts.append(f"### {last}: {titles.get(last, '')}")
        parts += [f"#### {case.case.key}", render_case(case)]
    tools = "".join(f"- {line}\n" for line in render_peers(installed).splitlines())
    return "\n\n".join(part.strip() for part in [*parts, "### The tools", tools]) + "\n"
