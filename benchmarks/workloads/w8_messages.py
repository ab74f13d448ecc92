"""W8: status messages into the collector, with the journal on, and the event loop's lag."""

from __future__ import annotations

from benchmarks.adapters.driven import driven
from benchmarks.tool import Case, Tool

__all__ = ["TITLE", "cases"]

TITLE = "messages into the collector"
_MESSAGES = {"status": 300_000, "log": 50_000}


def _flood(connections: int, kind: str) -> Tool:
    return driven("collector.py", lambda site: (str(connections), str(site.tests), kind))


def cases(short: bool) -> tuple[Case, ...]:
    """Return a case for each number of connections, and for each sort of message."""
    return tuple(
        Case(
            "W8",
            f"{kind} messages, connections {connections:,}",
            (_flood(connections, kind),),
            _MESSAGES[kind],
            with_one=False,
            memory=False,
        )
        for kind in (("status",) if short else ("status", "log"))
        for connections in (1, 100, 1_000)
    )
