"""W11: a job while nobody looks at its page, and while many do, one of whom takes nothing."""

from __future__ import annotations

from pathlib import Path

from benchmarks.adapters.driven import driven
from benchmarks.adapters.ours import ours
from benchmarks.tool import Case, Site, Tool

__all__ = ["TITLE", "VIEWERS", "cases"]

TITLE = "a job at which many look"
VIEWERS = 501
_TESTS = 100


def _sleepers(folder: Path, tests: int) -> tuple[str, ...]:
    script = folder / "sleep.sh"
    script.write_text("#!/bin/sh\nexec sleep 0.2\n")
    script.chmod(0o755)
    return (str(script),) * tests


def _watched(viewers: int) -> Tool:
    def words(site: Site) -> tuple[str, ...]:
        references = site.folder / "references"
        references.write_text("".join(f"{program}\n" for program in site.programs))
        return (str(viewers), str(site.folder), *ours(site, (f"@{references}",)).words)

    return driven("viewers.py", words)


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
