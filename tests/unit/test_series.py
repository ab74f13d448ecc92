"""Which tests share a process, and in which order they come."""

from __future__ import annotations

import pytest

from nrunner.runnable import Requirement, Runnable
from nrunner.series import gathered, series_of


def sample(uri, kind="python-unittest", **rest):
    return Runnable(kind, uri, **rest)


def test_methods_of_one_module_are_a_series():
    first, second = (series_of(sample(f"a.py:{name}"), "module", "") for name in ("T.x", "U.y"))
    assert first == second != ""


@pytest.mark.parametrize(
    "other",
    [
        sample("b.py:T.x"),
        sample("a.py:T.x", kwargs={"module": "a"}),
        sample("a.py:T.x", kwargs={"top": "lib"}),
        sample("a.py:T.x", config={"runner.python": "/other"}),
        sample("a.py:T.x", requirements=(Requirement("pip", "attrs"),)),
    ],
    ids=["module", "name", "folder", "interpreter", "packages"],
)
def test_what_makes_another_module_makes_another_series(other):
    mine, others = (series_of(each, "module", "") for each in (sample("a.py:T.x"), other))
    assert "" != mine != others != ""


def test_a_requirement_that_tells_tests_nothing_is_no_matter_of_the_series():
    tests = [sample("a.py:T.x"), sample("a.py:T.y", requirements=(Requirement("file", "x"),))]
    assert len({series_of(each, "module", "") for each in tests}) == 1


def test_running_twice_is_no_matter_of_the_series():
    tests = [sample("a.py:T.x"), sample("a.py:T.y", config={"runner.idempotent": True})]
    assert len({series_of(each, "module", "") for each in tests}) == 1


def test_suites_have_series_of_their_own():
    names = {series_of(sample("a.py:T.x"), "module", suite) for suite in ("s", "t")}
    assert len(names) == 2


@pytest.mark.parametrize(
    "alone",
    [
        sample("a.py"),
        sample("a.py:T"),
        sample("a.T.x"),
        sample("/bin/true", "exec-test"),
        sample("x", "somebody-elses"),
        sample("a.py:T.x", config={"runner.isolation": "process"}),
    ],
)
def test_whatever_is_no_method_of_a_module_runs_by_itself(alone):
    assert series_of(alone, "module", "") == ""


def test_there_are_no_series_unless_asked_for():
    assert series_of(sample("a.py:T.x"), "process", "") == ""
    own = sample("a.py:T.x", config={"runner.isolation": "module"})
    assert series_of(own, "process", "") != ""


def test_a_series_stands_where_its_first_test_does():
    uris = ["b.py:T.x", "/bin/true", "a.py:T.x", "b.py:T.y", "a.py:T.y"]
    kinds = {"/bin/true": "exec-test"}
    pairs = [("r", sample(uri, kinds.get(uri, "python-unittest"))) for uri in uris]
    together = gathered(pairs, "module", "")
    order = [runnable.uri for _, runnable, _ in together]
    assert order == ["b.py:T.x", "b.py:T.y", "/bin/true", "a.py:T.x", "a.py:T.y"]
    names = [series for _, _, series in together]
    assert names[0] == names[1] != ""
    assert names[2] == ""
