"""What a job that repeats another one runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.errors import UsageError
from nrunner.plan import JobPlan
from nrunner.replay import replayed
from nrunner.result import Cause, Result, Verdict
from nrunner.runnable import Runnable
from nrunner.task import TaskLimits, make_tasks


def plan_of(count: int) -> JobPlan:
    runnables = [
        ("ref", Runnable("noop", f"n{number}", variant={"variant_id": "v"}), "")
        for number in range(1, count + 1)
    ]
    tasks = tuple(make_tasks(runnables, TaskLimits()))
    return JobPlan(tasks, Path("/here"), Path("/results"), ("nrunner", "run"), job_id="1" * 40)


VERDICTS = {
    1: Verdict(Result.PASS, Cause.TEST),
    2: Verdict(Result.FAIL, Cause.TEST),
    3: Verdict(Result.CANCEL, Cause.CANCELLED),
    4: Verdict(Result.ERROR, Cause.INFRA),
}


def test_everything_is_repeated_unless_something_is_chosen() -> None:
    plan = replayed(plan_of(5), VERDICTS, "abc", ("nrunner", "replay"))
    assert plan.tasks == plan_of(5).tasks
    assert (plan.command, plan.job_id) == (("nrunner", "replay"), "")
    assert plan.facts == {"replayed_job": "abc"}


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (("FAIL", "ERROR"), ["1-n2;v", "2-n4;v"]),
        (("NOTRUN",), ["1-n3;v", "2-n5;v"]),
        (("CANCEL",), ["1-n3;v"]),
    ],
)
def test_tests_are_chosen_by_how_they_ended_and_numbered_anew(
    wanted: tuple[str, ...], ids: list[str]
) -> None:
    plan = replayed(plan_of(5), VERDICTS, "abc", (), wanted)
    assert [task.id for task in plan.tasks] == ids
    assert [task.number for task in plan.tasks] == list(range(1, len(ids) + 1))


def test_numbers_are_as_wide_as_there_are_tests_now() -> None:
    plan = replayed(plan_of(12), VERDICTS, "abc", (), ("FAIL",))
    assert [task.id for task in plan.tasks] == ["1-n2;v"]


def test_a_choice_that_leaves_nothing_is_told() -> None:
    with pytest.raises(UsageError, match="find a test to run: none of 2 is WARN or SKIP"):
        replayed(plan_of(2), VERDICTS, "abc", (), ("WARN", "SKIP"))
