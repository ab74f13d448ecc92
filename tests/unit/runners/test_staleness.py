"""What has to go of what is kept."""

from __future__ import annotations

from collections import namedtuple

import pytest

from nrunner.runners.staleness import outdated

Thing = namedtuple("Thing", "name size used in_use")

NOW = 1000.0
FOUND = [
    Thing("old", 50, 100.0, False),
    Thing("held", 40, 200.0, True),
    Thing("mid", 30, 600.0, False),
    Thing("new", 20, 990.0, False),
]


@pytest.mark.parametrize(
    ("most", "oldest", "spare", "gone"),
    [
        (None, None, 0, []),
        (140, None, 0, []),
        (139, None, 0, ["old"]),
        (89, None, 0, ["old", "mid"]),
        (0, None, 0, ["old", "mid", "new"]),
        (0, None, 60, ["old", "mid"]),
        (None, 500, 0, ["old"]),
        (None, 300, 0, ["old", "mid"]),
        (70, 800, 0, ["old", "mid"]),
    ],
)
def test_what_is_old_goes_and_then_what_was_used_least_recently(most, oldest, spare, gone):
    found = outdated(FOUND, most, oldest, NOW, spare=spare)
    assert [each.name for each in found] == gone
