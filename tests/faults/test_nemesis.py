"""A little of what ``make soak`` does for long: random faults under a mixed load.

The full disk is left to the soak, which has a small one of its own, and to ``test_full_disk``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign

SEED = 20261126


@pytest.mark.timeout(180)
def test_every_invariant_holds_under_random_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = Campaign(tmp_path, SEED, pause=0.3)
    while len(campaign.nemesis.struck) < 20:
        campaign.run(40)
    with capsys.disabled():
        struck = sorted(set(campaign.nemesis.struck))
        sys.stdout.write(f"\nseed {SEED}: {struck}: {dict(campaign.results)}\n")
    assert campaign.results["PASS test"] > 0
