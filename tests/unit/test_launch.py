"""How many tasks run at once, by what was asked for and what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.launch import limits_of
from nrunner.plan import JobPlan
from nrunner.spawners.base import Offer

DEVICES = tuple(Offer(name, 4, queue=3, is_pooled=True) for name in "ab")
HERE = (Offer("here", 4, queue=20),)


def limits(offers, most, **options):
    """Return how many may be ordered in a job, and at its first place."""
    found = limits_of(JobPlan((), Path("/"), Path("/"), max_parallel=most, **options), offers)
    return found.most, found.free(offers[0].place)


@pytest.mark.parametrize(
    ("most", "ordered"),
    [(None, (14, 7)), (8, (14, 7)), (99, (105, 7)), (7, (7, 4)), (1, (1, 1))],
)
def test_no_more_run_on_devices_than_is_asked_for(most, ordered):
    """What is ordered in advance runs at once where a slot is free."""
    assert limits(DEVICES, most) == ordered


def test_with_fail_fast_nothing_is_ordered_in_advance():
    assert limits(DEVICES, None, fail_fast=True) == (8, 4)
    assert limits(HERE, 4, fail_fast=True) == (4, 4)


def test_where_the_agent_keeps_to_what_is_asked_for_more_is_ordered_in_advance():
    assert limits(HERE, 4) == (24, 24)
