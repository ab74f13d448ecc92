"""Tasks and their ids."""

from __future__ import annotations

import pytest

from nrunner.runnable import Runnable
from nrunner.task import TaskLimits, make_tasks, task_id


@pytest.mark.parametrize(
    ("number", "count", "name", "variant", "expected"),
    [
        (1, 1, "/bin/true", None, "1-/bin/true"),
        (2, 9, "t.py:T.test", "debug", "2-t.py:T.test;debug"),
        (2, 10, "t.py:T.test", "debug", "02-t.py:T.test;debug"),
        (10, 10, "x", "", "10-x"),
        (7, 100_000, "x", None, "000007-x"),
    ],
)
def test_an_id_is_the_padded_number_the_name_and_the_variant(
    number, count, name, variant, expected
):
    assert task_id(number, count, name, variant) == expected


def test_tasks_are_numbered_from_one():
    runnables = [("a", Runnable("noop", "one"), ""), ("b", Runnable("noop", identifier="two"), "s")]
    tasks = make_tasks(runnables, TaskLimits(timeout=5.0), suite="s", retries=2)
    assert [task.id for task in tasks] == ["1-one", "2-two"]
    assert [task.number for task in tasks] == [1, 2]
    assert [task.reference for task in tasks] == ["a", "b"]
    assert {task.suite for task in tasks} == {"s"}
    assert {task.limits for task in tasks} == {TaskLimits(timeout=5.0)}
    assert {task.retries for task in tasks} == {2}
    assert [task.series for task in tasks] == ["", "s"]


def test_tasks_of_a_later_suite_go_on_counting():
    (task,) = make_tasks([("r", Runnable("noop"), "")], TaskLimits(), first=12, count=100)
    assert (task.number, task.id) == (12, "012-noop")


def test_the_variant_of_a_runnable_is_in_its_task_id():
    variants = [{"variant_id": "fast-1"}, {"variant_id": 7}, {}, None]
    runnables = [("r", Runnable("noop", variant=variant), "") for variant in variants]
    tasks = make_tasks(runnables, TaskLimits())
    assert [task.id for task in tasks] == ["1-noop;fast-1", "2-noop;7", "3-noop", "4-noop"]


def test_no_runnables_are_no_tasks():
    assert make_tasks([], TaskLimits()) == []
