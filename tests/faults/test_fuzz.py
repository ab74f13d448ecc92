"""Readers of what others write, given what nobody should write: a moment of it (see soak_fuzz)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults import soak_fuzz
from tests.faults.fuzz import TARGETS, Target


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_whatever_is_read_is_understood_or_refused(name: str) -> None:
    target = TARGETS[name]
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]

    @settings(max_examples=40, deadline=None, suppress_health_check=slow)
    @given(target.strategy)
    def run(value: object) -> None:
        target.check(value)

    run()


def test_a_seed_tries_the_same_inputs_again_and_what_is_found_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []

    def check(value: int) -> None:
        seen[-1].append(value)
        assert value < 1000, "far too large"

    monkeypatch.setattr(soak_fuzz, "TARGETS", {"numbers": Target(st.integers(0, 10**6), check)})
    for _ in range(2):
        seen.append([])
        assert soak_fuzz.main(["--seconds", "5", "--seed", "7", "numbers"]) == 1
    assert seen[0] == seen[1]
    said = capsys.readouterr().out
    assert "seed 7" in said
    assert "far too large" in said
    assert "FOUND by 'numbers'" in said
