"""The controller, the agent, or both killed right after every record of the journal.

After each, the job is gone on with (`nrunner jobs resume`) where the controller died, and all that
has to hold is checked: one verdict for each task, nothing run twice, nothing left behind.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.checker import Finding
from tests.faults.sweep import Case, Sweep


@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["controller", "agent", "both", "controller afar"])
def test_the_job_is_whole_wherever_it_ends(
    tmp_path: Path, victim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    victim, _, afar = victim.partition(" ")
    sweep = Sweep(tmp_path, is_distant=bool(afar))
    points = sweep.count()
    found: Counter[str] = Counter()

    def play(point: int) -> str:
        try:
            return sweep.play(Case(victim, point))
        except (Finding, OSError, LookupError) as error:
            return f"after record {point}: {type(error).__name__}: {error}"

    with ThreadPoolExecutor(2) as pool:
        # Afar each takes longer; all of them are gone through in memory (test_takeover).
        for said in pool.map(play, range(1, points + 1, 3 if afar else 1)):
            found[said] += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{victim} killed after each of {points} records: {dict(found)}\n")
    bad = [said for said in found if said not in ("whole", "not begun") and " lost" not in said]
    assert not bad, "\n".join(bad)
    assert found["whole"] > found.total() / 3
    if victim == "both":
        assert found.total() > found["whole"] + found["not begun"], "nothing was ever running"
