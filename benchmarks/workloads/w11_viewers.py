"""W11: a job while nobody looks at its page, and while many do, one of whom takes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.adapters.ours import ours
from benchmarks.tool import OURS, Broken, Case, Command, Reading, Site, Tool

__all__ = ["TITLE", "VIEWERS", "cases"]

TITLE = "a job at which many look"
VIEWERS = 501
_TESTS = 100
_DRIVER = Path(__file__).resolve().parents[1] / "drivers" / "viewers.py"


def _sleepers(folder: Path, tests: int) -> tuple[str, ...]:
    script = folder / "sleep.sh"
    script.write_text("#!/bin/sh\nexec sleep 0.2\n")
    script.chmod(0o755)
    return (str(script),) * tests


def _watched(viewers: int) -> Tool:
    def prepare(site: Site) -> Command:
        references = site.folder / "references"
        references.write_text("".join(f"{program}\n" for program in site.programs))
        job = ours(site, (f"@{references}",))
        words = (str(viewers), str(site.folder), *job.words)
        return Command((site.find("python"), str(_DRIVER), *words))

    return Tool(OURS, OURS, prepare, _read)


def _read(site: Site, output: str) -> Reading:
    try:
        return Reading(figures=json.loads(output))
    except ValueError as error:
        raise Broken(output.strip()[-300:]) from error


def cases(short: bool) -> tuple[Case, ...]:
    """Return the same job twice: watched by nobody, and by many."""
    return tuple(
        Case(
            "W11",
            f"viewers {viewers}",
            (_watched(viewers),),
            _TESTS,
            parallel=2,
            make_input=_sleepers,
            with_one=False,
            memory=False,
        )
        for viewers in (0, VIEWERS)
    )
