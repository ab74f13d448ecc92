"""Marks that processes inherit without knowing it."""

from __future__ import annotations

import os
import resource

import pytest

from nrunner.runners import brand
from nrunner.runners.brand import Brands

ME = os.getpid()


@pytest.fixture
def limit(monkeypatch):
    """Brands as they are found out about here; our own limit is as it was afterwards."""
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    monkeypatch.setattr(brand, "_resource", [])
    yield
    resource.setrlimit(resource.RLIMIT_RTTIME, before)


@pytest.mark.parametrize("key", [(1, 1), (100_000, 3), ((1 << 27) - 1, 255), (-1, 0), (-7, 2)])
def test_who_wears_a_brand_is_known_by_it(limit, key):
    brands = Brands()
    brand.wear(brands.of(key))
    assert brands.bearer(ME) == key


def test_brands_mean_years_that_nobody_computes_without_a_pause(limit):
    for key in ((0, 0), (1, 1), (-1, 0)):
        assert 1000 * 365 * 86400 * 1_000_000 < Brands().of(key) < 1 << 62


def test_brands_of_another_agent_are_not_ours(limit):
    brand.wear(Brands().of((1, 1)))
    assert Brands().bearer(ME) is None


def test_nobody_has_a_brand_who_was_not_given_one(limit):
    assert Brands().bearer(ME) is None
    assert Brands().bearer(1 << 30) is None


def test_where_the_limit_is_somebody_elses_there_are_no_brands(limit, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (5, 5))
    brands = Brands()
    brand.wear(brands.of((1, 1)))
    assert brands.bearer(ME) is None


def test_where_the_limit_cannot_be_set_it_is_not_tried_again(limit, monkeypatch):
    calls = []

    def refuse(*words):
        calls.append(words)
        raise OSError

    Brands()
    brand._resource[0] = refuse
    for _ in range(2):
        brand.wear(1 << 56)
    assert len(calls) == 1


def test_other_agents_of_the_same_machine_hardly_ever_have_the_same_brands(limit):
    assert len({Brands().of((1, 1)) for _ in range(50)}) > 45
