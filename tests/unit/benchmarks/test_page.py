"""Figures written into a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figure import CaseFigures, Figures
from benchmarks.page import BEGIN, END, render_page, replace_figures
from benchmarks.peer import Installed
from benchmarks.series import Outcome
from benchmarks.tool import OURS, Case, Command, Tool

ROOT = Path(__file__).resolve().parents[3]


def test_only_what_stands_between_the_marks_is_replaced():
    text = f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nend\n"
    assert replace_figures(text, "new\n") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nend\n"


def test_a_document_without_marks_is_refused():
    with pytest.raises(ValueError, match="lacks the marks"):
        replace_figures(f"# Title\n{BEGIN}\n", "new")


def test_the_document_on_performance_has_the_marks():
    replace_figures((ROOT / "docs" / "performance.md").read_text(encoding="utf-8"), "")


def test_a_page_has_the_machine_the_cases_and_the_tools():
    tool = Tool(OURS, OURS, lambda site: Command(("true",)))
    cases = [Case("W9", label, (tool,), 10) for label in ("one", "two")]
    figures = Figures(
        tuple(CaseFigures(case, (Outcome(tool, 10, [1.0], [1.0]),)) for case in cases)
    )
    installed = [Installed("kyua", reason="not here")]
    page = render_page(figures, installed, {"processors": 2}, {"W9": "some work"})
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "### The machine",
        "### W9: some work",
        "#### W9 one",
        "#### W9 two",
        "### The tools",
    ]
    assert "| processors |     2 |" in page
    assert "- kyua: LEFT OUT: not here" in page
