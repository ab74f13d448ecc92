"""W8: status messages into the collector, with the journal on, and the event loop's lag."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.tool import OURS, Broken, Case, Command, Reading, Site, Tool

__all__ = ["TITLE", "cases"]

TITLE = "messages into the collector"
_DRIVER = Path(__file__).resolve().parents[1] / "drivers" / "collector.py"
_MESSAGES = {"status": 300_000, "log": 50_000}


def _flood(connections: int, kind: str) -> Tool:
    def prepare(site: Site) -> Command:
        words = (str(connections), str(site.tests), kind)
        return Command((site.find("python"), str(_DRIVER), *words))

    return Tool(OURS, OURS, prepare, _read)


def _read(site: Site, output: str) -> Reading:
    try:
        return Reading(figures=json.loads(output))
    except ValueError as error:
        raise Broken(output.strip()[-300:]) from error


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
