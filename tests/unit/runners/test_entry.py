"""The one door of our processes."""

from __future__ import annotations

import pytest

from nrunner.runners import entry, guardian, unittest_child


@pytest.mark.parametrize(
    "words",
    [[], ["agent"], ["agent", "x"], ["sesame"], ["agent", "1", "2", "3"], ["introduce", "x"]],
)
def test_whoever_knocks_otherwise_is_told_how(words, capsys):
    assert entry.main(words) == 2
    assert capsys.readouterr().err.startswith("usage: ")


def test_an_agent_is_started_below_its_guardian(monkeypatch):
    def guard(folder, listening, *, may_group, starter):
        return folder, listening, may_group, starter

    monkeypatch.setattr(guardian, "guard", guard)
    assert entry.main(["agent", "/run/x", "7"]) == ("/run/x", 7, True, 0)
    assert entry.main(["agent", "/run/x", "7", "ungrouped"]) == ("/run/x", 7, False, 0)
    bound = ["bound-to", "12"]
    assert entry.main(["agent", "/run/x", "7", *bound]) == ("/run/x", 7, True, 12)
    assert entry.main(["agent", "/run/x", "7", "ungrouped", *bound]) == ("/run/x", 7, False, 12)


def test_a_child_for_tests_is_started_with_its_words(monkeypatch):
    heard: list[list[str]] = []
    monkeypatch.setattr(unittest_child, "main", heard.append)
    assert entry.main(["unittest-child", "{}"]) == 0
    assert heard == [["{}"]]
