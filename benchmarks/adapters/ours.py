"""nrunner itself, with all features on that are on by default."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.tool import OURS, Command, Reading, Site, Tool

__all__ = ["NOOPS", "PROGRAMS", "named", "ours", "read_ours"]


def _programs(site: Site) -> Command:
    references = site.folder / "references"
    references.write_text("".join(f"{program}\n" for program in site.programs))
    return ours(site, (f"@{references}",))


def ours(site: Site, words: tuple[str, ...]) -> Command:
    """Return ``nrunner run`` of some references, or with further options."""
    results = ("--job-results-dir", str(site.folder / "results"))
    many = ("--max-parallel-tasks", str(site.parallel))
    return Command((site.find("nrunner"), "run", *many, *results, *words))


def read_ours(site: Site, output: str) -> Reading:
    """Believe neither the console nor the report alone: both must count the same tests."""
    shown = re.search(r"^RESULTS +: PASS (\d+) \|", output, re.MULTILINE)
    report = json.loads((site.folder / "results" / "latest" / "results.json").read_text())
    passed = sum(test["status"] == "PASS" for test in report["tests"])
    if shown is None or int(shown[1]) != passed:
        return Reading(0)
    return Reading(passed)


def _noops(site: Site) -> Command:
    recipe = site.folder / "noops.json"
    recipe.write_text(json.dumps([{"kind": "noop", "uri": f"n{n}"} for n in range(site.tests)]))
    return ours(site, (str(recipe),))


def named(tool: Tool, peers: Sequence[str]) -> tuple[Tool, ...]:
    """Return one tool for each installation of nrunner that is to be compared."""
    return tuple(replace(tool, name=tool.name.replace(OURS, peer, 1), peer=peer) for peer in peers)


PROGRAMS = Tool(OURS, OURS, _programs, read_ours)
NOOPS = Tool(OURS, OURS, _noops, read_ours)
