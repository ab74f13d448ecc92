"""Folders in which no room is left, and attempts that failed meanwhile."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nrunner.result import Result
from nrunner.runners import room
from nrunner.runners.base import Outcome

FAILED = Outcome(Result.FAIL, "exited with status 1")


@pytest.mark.parametrize(
    ("user", "blocks", "free", "for_users", "is_full"),
    [
        (0, 100, 0, 0, True),
        (0, 100, 5, 0, False),
        (1000, 100, 5, 0, True),
        (1000, 100, 5, 5, False),
        (0, 0, 0, 0, False),
    ],
)
def test_full_is_what_has_no_room_for_whoever_looks(
    monkeypatch, user, blocks, free, for_users, is_full
):
    found = SimpleNamespace(f_blocks=blocks, f_bfree=free, f_bavail=for_users, f_frsize=4096)
    monkeypatch.setattr("os.statvfs", lambda _path: found)
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert room.full(["/tmp"]) == (["/tmp"] if is_full else [])


def test_what_cannot_be_looked_at_is_not_full():
    assert room.full(["/no/such/folder"]) == []


def test_who_failed_is_told_and_nobody_else():
    assert room.blamed(FAILED, ["/tmp", "/dev/shm"]).fail_reason == (
        "exited with status 1 (no space left in /tmp and /dev/shm)"
    )
    assert room.blamed(FAILED, []) == FAILED
    assert room.blamed(Outcome(Result.PASS), ["/tmp"]) == Outcome(Result.PASS)
