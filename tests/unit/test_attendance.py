"""What is believed of what an agent says of attempts."""

from __future__ import annotations

import pytest

from nrunner.attendance import Attendance
from nrunner.reboots import Reboots

KEY = (1, 1)


@pytest.fixture
def here() -> Attendance:
    attendance = Attendance(Reboots(lambda _heads: True, lambda _key, _trouble: None))
    attendance.running[KEY] = False
    return attendance


def said(event: object, task: object = 1, attempt: object = 1, **more: object) -> dict[str, object]:
    return {"event": event, "task": task, "attempt": attempt, **more}


def test_an_attempt_starts_once_and_ends_once(here):
    told = [said("started"), said("slow"), said("ended", result="pass")]
    assert [here.checked(each) for each in told] == told
    assert [here.checked(each) for each in told] == [None] * 3
    assert (here.running, here.refused) == ({}, 3)


@pytest.mark.parametrize(
    "head",
    [
        said("started", 2),
        said("ended", 1, 2),
        said("exploded"),
        said(7),
        said("ended", "1"),
        said("ended", [], None),
        said("ended", True),
        {},
    ],
    ids=str,
)
def test_what_is_about_nothing_here_is_counted_and_changes_nothing(here, head):
    assert here.checked(head) is None
    assert (here.running, here.refused) == ({KEY: False}, 1)


def test_who_contradicts_itself_is_not_believed(here):
    told = here.checked(said("ended", result="pass"))
    assert (told["event"], "contradicts" in told["reason"]) == ("not_started", True)
    here.running[KEY] = True
    told = here.checked(said("not_started"))
    assert (told["event"], "contradicts" in told["trouble"]) == ("ended", True)


def test_a_notice_is_told_whomever_it_is_about(here):
    assert here.checked(said("notice", "x", text="t"))["task"] == 0
    assert here.checked(said("notice", 5, text="t"))["task"] == 5
    assert here.refused == 0


def test_nobody_wants_what_is_all_cancelled(here):
    assert here.is_wanted
    here.cancelled.add(KEY)
    assert not here.is_wanted
    here.running[2, 1] = True
    assert here.is_wanted
    here.forget((2, 1))
    here.forget(KEY)
    assert here.is_wanted
