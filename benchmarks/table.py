"""Tables as text that reads well on a terminal and in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["render_table"]


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with its first column flush left and the others flush right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(row, widths) for row in (head, rule, *rows)) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return f"| {' | '.join([first, *rest])} |"
