"""How much is sent at once."""

from __future__ import annotations

from nrunner.pace import Pace


def test_pieces_grow_while_they_are_quick_and_shrink_when_they_are_slow():
    pace = Pace(1 << 16)
    pace.took(0.1)
    assert pace.size == 1 << 17
    pace.took(1.0)
    assert pace.size == 1 << 17
    pace.took(5.0)
    assert pace.size == 1 << 16
    pace.lost()
    assert pace.size == 1 << 14


def test_there_is_a_fewest_and_a_most():
    pace = Pace(1 << 16)
    for _ in range(20):
        pace.took(0.0)
    assert pace.size == 1 << 20
    for _ in range(20):
        pace.lost()
    assert pace.size == 1 << 14
