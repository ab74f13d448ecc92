"""The table of moves: complete, connected, and drawn as it is."""

from __future__ import annotations

import itertools

import pytest

from nrunner.phase import MOVES, Phase, diagram, is_legal

# Written out once more, from the design: a change of the table must be meant twice.
LEGAL = {
    ("REQUESTED", "TRIAGING"),
    ("REQUESTED", "DISCARDED"),
    ("TRIAGING", "PREPARING"),
    ("TRIAGING", "READY"),
    ("TRIAGING", "DISCARDED"),
    ("PREPARING", "READY"),
    ("PREPARING", "TRIAGING"),
    ("PREPARING", "DISCARDED"),
    ("READY", "STARTING"),
    ("READY", "TRIAGING"),
    ("READY", "DISCARDED"),
    ("STARTING", "STARTED"),
    ("STARTING", "FAILED_TO_START"),
    ("STARTED", "FINISHED"),
    ("STARTED", "INTERRUPTED"),
    ("FINISHED", "READY"),
    ("FINISHED", "TRIAGING"),
    ("INTERRUPTED", "READY"),
    ("INTERRUPTED", "TRIAGING"),
    ("FAILED_TO_START", "READY"),
    ("FAILED_TO_START", "TRIAGING"),
}


@pytest.mark.parametrize(("source", "target"), list(itertools.product(Phase, repeat=2)))
def test_a_move_is_legal_only_if_the_design_lists_it(source, target):
    assert is_legal(source, target) == ((source.value, target.value) in LEGAL)


def test_every_phase_has_a_row():
    assert set(MOVES) == set(Phase)


def test_every_phase_can_be_reached():
    seen = {Phase.REQUESTED}
    border = [Phase.REQUESTED]
    while border:
        new = MOVES[border.pop()] - seen
        seen |= new
        border.extend(new)
    assert seen == set(Phase)


def test_an_end_can_be_reached_from_every_phase():
    reach = {phase for phase in Phase if phase.is_end}
    for _ in Phase:
        reach |= {phase for phase in Phase if MOVES[phase] & reach}
    assert reach == set(Phase)


def test_the_only_way_out_of_an_end_is_a_retry():
    ways = {target for phase in Phase if phase.is_end for target in MOVES[phase]}
    assert ways == {Phase.READY, Phase.TRIAGING}


def test_the_diagram_has_one_arrow_per_move():
    lines = [line.strip().partition(" : ")[0] for line in diagram().splitlines()]
    arrows = {tuple(line.split(" --> ")) for line in lines if " --> " in line}
    assert {pair for pair in arrows if "[*]" not in pair} == LEGAL


def test_the_document_shows_the_diagram_of_the_table(root):
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{diagram()}\n```\n" in text
