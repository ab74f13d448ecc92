from dataclasses import replace

import pytest

from nrunner.difference import KINDS, difference
from nrunner.result import Result
from nrunner.testing.sample import sample_report

PASS, FAIL, ERROR, SKIP, WARN = Result.PASS, Result.FAIL, Result.ERROR, Result.SKIP, Result.WARN


def task(name, result=PASS, elapsed=1.0, suite="", number=1):
    report = replace(sample_report(number, name), result=result, elapsed=elapsed, suite=suite)
    return replace(report, detail="" if result is PASS else "because")


def kinds(found):
    return {kind: [each.name for each in changes] for kind, changes in found.changes.items()}


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (PASS, FAIL, "newly_failing"),
        (SKIP, ERROR, "newly_failing"),
        (FAIL, PASS, "fixed"),
        (ERROR, WARN, "fixed"),
        (PASS, SKIP, "skipped"),
        (FAIL, SKIP, "skipped"),
        (FAIL, ERROR, None),
        (SKIP, SKIP, None),
        (SKIP, PASS, None),
        (PASS, PASS, None),
    ],
)
def test_what_became_of_a_test(was, now, kind):
    found = difference([task("a", was)], [task("a", now)])
    assert {each for each, changes in found.changes.items() if changes} == ({kind} - {None})
    assert (found.same, found.still_failing) == (kind is None, was is FAIL and now is ERROR)


@pytest.mark.parametrize(
    ("before", "after", "is_slower"),
    [
        (1.0, 1.6, True),
        (1.0, 1.4, False),
        (0.001, 0.09, False),
        (0.0, 0.2, True),
        (2.0, 1.0, False),
    ],
)
def test_slower_is_what_takes_longer_by_ratio_and_by_time(before, after, is_slower):
    found = difference([task("a", elapsed=before)], [task("a", elapsed=after)])
    assert bool(found.changes["slower"]) is is_slower


def test_how_much_slower_can_be_said():
    old, new = [task("a", elapsed=1.0)], [task("a", elapsed=1.6)]
    assert difference(old, new, slower=2.0).changes["slower"] == []


def test_what_is_gone_and_what_is_new_is_named():
    found = kinds(difference([task("a"), task("b")], [task("c"), task("b")]))
    assert {kind: names for kind, names in found.items() if names} == {"gone": ["a"], "new": ["c"]}
    assert found.keys() == KINDS.keys()


def test_a_test_is_known_by_its_suite_too_and_by_how_often_it_occurred():
    old = [task("a", suite="x"), task("a", suite="y"), task("b"), task("b", number=2)]
    new = [task("a", FAIL, suite="y"), task("a", suite="x"), task("b"), task("b", FAIL, number=2)]
    found = difference(old, new)
    assert [(each.suite, each.name) for each in found.changes["newly_failing"]] == [
        ("y", "a"),
        ("", "b"),
    ]
    assert found.same == 2


def test_the_number_of_a_task_does_not_matter():
    found = difference([task("a", number=1)], [task("a", number=9)])
    assert found.same == 1


@pytest.mark.parametrize(
    ("old", "new", "is_worse"),
    [
        ([task("a")], [task("a", FAIL)], True),
        ([], [task("a", FAIL)], True),
        ([], [task("a")], False),
        ([task("a", FAIL)], [task("a", FAIL)], False),
        ([task("a", FAIL)], [], False),
    ],
)
def test_worse_is_when_something_fails_that_did_not(old, new, is_worse):
    assert difference(old, new).is_worse is is_worse
