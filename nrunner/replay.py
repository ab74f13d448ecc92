"""The plan of a job that does again what another one did (pure).

Not responsible for reading the other job (``nrunner.pastjob``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from nrunner.errors import UsageError
from nrunner.plan import JobPlan
from nrunner.record import replace
from nrunner.result import Result, Verdict
from nrunner.task import Task, task_id

__all__ = ["NOT_RUN", "replayed"]

NOT_RUN = "NOTRUN"
"""What stands for tests that have no verdict, or were never begun."""


def replayed(
    plan: JobPlan,
    verdicts: Mapping[int, Verdict],
    job_id: str,
    command: tuple[str, ...],
    wanted: Collection[str] = (),
) -> JobPlan:
    """Return the plan that repeats a job, or those of its tests that ended as is `wanted`.

    Raise UsageError if that is none.
    """
    tasks = [task for task in plan.tasks if not wanted or _ended(task, verdicts) & set(wanted)]
    if not tasks:
        raise UsageError(f"find a test to run: none of {len(plan.tasks)} is {' or '.join(wanted)}")
    again = (_renumbered(task, number, len(tasks)) for number, task in enumerate(tasks, 1))
    facts = {**plan.facts, "replayed_job": job_id}
    return replace(plan, tasks=tuple(again), command=command, facts=facts, job_id="")


def _ended(task: Task, verdicts: Mapping[int, Verdict]) -> set[str]:
    verdict = verdicts.get(task.number)
    if verdict is None:
        return {NOT_RUN}
    words = {verdict.result.value}
    return words | {NOT_RUN} if verdict.result is Result.CANCEL else words


def _renumbered(task: Task, number: int, count: int) -> Task:
    runnable = task.runnable
    name = task_id(number, count, runnable.name, runnable.variant_id)
    return replace(task, number=number, id=name)
