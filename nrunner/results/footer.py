"""The footer on a terminal: a progress bar, and what runs now and for how long.

The only module that imports rich, which takes longer than a short job does: it is loaded when a
job has lasted for a moment. Not responsible for when the footer is drawn or wiped
(``nrunner.results.terminal``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nrunner.record import dataclass
from nrunner.result import Result
from nrunner.results.text import shortened

__all__ = ["Footer", "Row"]

_MOST_ROWS = 8
_STYLES = {
    Result.FAIL: "bold red",
    Result.ERROR: "bold magenta",
    Result.INTERRUPT: "bold red",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A task that runs."""

    id: str
    seconds: float
    is_slow: bool


class Footer:
    """Makes the footer's text, as wide as the terminal is at that moment."""

    def __init__(self, stream: IO[str], console: Console | None = None) -> None:
        self._console = console or Console(file=stream, force_terminal=True)

    @property
    def rows(self) -> int:
        """How many running tasks there is room for."""
        return max(1, min(_MOST_ROWS, self._console.height // 3))

    def text(
        self,
        counts: Mapping[Result, int],
        total: int,
        elapsed: float,
        rows: Sequence[Row],
        more: int,
    ) -> str:
        """Return the footer; `rows` are the running tasks shown, `more` those left out."""
        parts: list[RenderableType] = [self._progress(counts, total, elapsed)]
        parts += [_row(each) for each in rows]
        if more > 0:
            parts.append(Text(f"          and {more} more", "dim"))
        with self._console.capture() as captured:
            self._console.print(Group(*parts), end="")
        return captured.get()

    def _progress(self, counts: Mapping[Result, int], total: int, elapsed: float) -> Table:
        done = sum(counts.values())
        text = Text(f"{done}/{total}  {elapsed:.0f} s")
        for result, count in counts.items():
            if count and result is not Result.PASS:
                text.append("  ").append(f"{result.value} {count}", _STYLES.get(result, "yellow"))
        width = min(30, self._console.width // 3)
        table = Table.grid(padding=(0, 1))
        table.add_row(ProgressBar(max(1, total), done, width=width), text)
        return table


def _row(row: Row) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f" {row.seconds:6.0f} s ", "cyan")
    if row.is_slow:
        text.append("slow ", "bold yellow")
    return text.append(shortened(row.id))
