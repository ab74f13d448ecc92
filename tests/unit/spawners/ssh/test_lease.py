"""How people are told who has a device."""

from __future__ import annotations

import time

from nrunner.spawners.ssh.lease import held_by

HOLDER = {"job": "0123456789abcdef", "who": "ann@lab", "since": 1000.0, "until": 4600.0}


def moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def test_times_are_those_of_our_clock():
    words = held_by({"held": True, "holder": HOLDER}, 50.0)
    assert words == (
        f"held by job 0123456789ab of ann@lab since {moment(1050)},"
        f" until {moment(4650)} unless it is renewed"
    )


def test_today_needs_no_date():
    now = time.time()
    holder = {**HOLDER, "since": now, "until": now + 60}
    assert time.strftime("%Y-", time.localtime(now)) not in held_by(
        {"held": True, "holder": holder}, 0.0
    )


def test_a_free_device_is_held_by_nobody_and_a_silent_one_by_somebody():
    assert held_by({"held": False, "holder": HOLDER}, 0.0) == ""
    assert held_by(None, 0.0) == ""
    assert held_by({"held": True, "holder": None}, 0.0) == "held by somebody"


def test_a_device_that_talks_nonsense_is_quoted_safely():
    holder = {"job": ["x"], "who": "a\x1b[2J\n", "since": "now", "until": 1e300}
    words = held_by({"held": True, "holder": holder}, 0.0)
    assert words.isprintable()
    assert "a?[2J?" in words
    assert moment(0) in words
