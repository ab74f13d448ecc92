"""Programs of ours that measure something themselves, and print their figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from benchmarks.tool import OURS, Broken, Command, Reading, Site, Tool

__all__ = ["driven"]

_DRIVERS = Path(__file__).resolve().parents[1] / "drivers"


def driven(driver: str, words: Callable[[Site], tuple[str, ...]]) -> Tool:
    """Return what runs a driver with words that depend on the site."""

    def prepare(site: Site) -> Command:
        return Command((site.find("python"), str(_DRIVERS / driver), *words(site)))

    return Tool(OURS, OURS, prepare, _read)


def _read(site: Site, output: str) -> Reading:
    try:
        return Reading(figures=json.loads(output))
    except ValueError as error:
        raise Broken(output.strip()[-300:]) from error
