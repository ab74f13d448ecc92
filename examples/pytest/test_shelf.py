"""Tests of pytest: fixtures, parameters, marks, a skip and an expected failure."""

import pytest


def test_a_jar_is_found(shelf):
    assert [each.name for each in shelf.iterdir()] == ["jar"]


@pytest.mark.parametrize(("jars", "weight"), [(1, 0.5), (2, 1.0), (4, 2.0)])
def test_jars_weigh_half_a_kilo(jars, weight):
    assert jars * 0.5 == weight


@pytest.mark.slow
class TestSeason:
    def test_honey_is_made(self, season, shelf):
        assert season != "winter"
        assert (shelf / "jar").read_text() == "honey"

    @pytest.mark.skip(reason="there are no bees here")
    def test_bees_fly(self):
        raise AssertionError("never reached")

    @pytest.mark.xfail(reason="nobody has counted them")
    def test_bees_are_counted(self):
        assert len("bees") == 40_000
