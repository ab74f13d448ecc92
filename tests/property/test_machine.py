"""The machine against whatever may happen, in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nrunner.settlement import LeakPolicy
from tests.property.machine_world import REQUIREMENTS, Plan, World

TASKS = st.lists(
    st.tuples(
        st.sampled_from(["", "one", "two"]),
        st.lists(st.sampled_from(REQUIREMENTS), max_size=3),
        st.integers(0, 2),
        st.booleans(),
        st.sampled_from(["", "", "s", "t"]),
    ),
    min_size=4,
    max_size=10,
)
IN_SERIES = st.lists(
    st.tuples(st.just(""), st.just([]), st.integers(1, 2), st.booleans(), st.just("s")),
    min_size=4,
    max_size=6,
)
"""Tasks that wait for each other where they are, which those that run already seldom do."""


def plans(
    *, stops: int, cancels: int, pooled: bool = False, taken: int = 0
) -> st.SearchStrategy[Plan]:
    """Return plans of which an earlier controller began up to `taken` tasks."""
    tasks = TASKS | IN_SERIES if taken else TASKS
    return st.builds(
        Plan,
        tasks | st.just([]) | tasks.map(lambda tasks: tasks * 2),
        st.integers(1, 3),
        st.integers(1, 4),
        st.lists(st.integers(1, 3), min_size=1, max_size=3),
        st.booleans(),
        st.sampled_from([False, False, True]),
        st.sampled_from([False] * 9 + [True]),
        st.integers(0, 3),
        st.sampled_from(LeakPolicy),
        st.just(stops),
        st.just(cancels),
        st.just(pooled),
        st.integers(min(1, taken), taken),
    )


def run(plan: Plan, draw: Callable[..., Any]) -> None:
    world = World(plan, draw)
    world.check()
    for _ in range(120):
        possible = world.possible()
        if not possible:
            break
        world.pick(possible)()
        world.check()
    world.answer_everything()


EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EXAMPLES
@given(plans(stops=0, cancels=0), st.data())
def test_every_task_ends_once_whatever_happens(plan, data):
    run(plan, data.draw)


@EXAMPLES
@given(plans(stops=2, cancels=3), st.data())
def test_every_task_ends_once_whenever_it_is_stopped(plan, data):
    run(plan, data.draw)


@EXAMPLES
@given(plans(stops=0, cancels=0, pooled=True), st.data())
def test_every_task_ends_once_whichever_place_of_a_pool_it_gets(plan, data):
    run(plan, data.draw)


@EXAMPLES
@given(plans(stops=2, cancels=3, pooled=True), st.data())
def test_every_task_of_a_pool_ends_once_whenever_it_is_stopped(plan, data):
    run(plan, data.draw)


@EXAMPLES
@given(plans(stops=1, cancels=1, taken=4), st.data())
def test_every_task_ends_once_even_if_others_began_it(plan, data):
    run(plan, data.draw)


@EXAMPLES
@given(plans(stops=1, cancels=1, pooled=True, taken=4), st.data())
def test_every_task_of_a_pool_ends_once_even_if_others_began_it(plan, data):
    run(plan, data.draw)
