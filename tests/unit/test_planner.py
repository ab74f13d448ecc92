from dataclasses import replace
from pathlib import Path

import pytest

from nrunner.config import Config
from nrunner.errors import ResolveError, UsageError
from nrunner.layer import Value, build
from nrunner.planner import SuiteRequest, make_plan
from nrunner.resolver.base import Answer, Resolution
from nrunner.runnable import Requirement, Runnable

HERE = Path("/here")


def config(**values):
    return replace(Config(max_parallel_tasks=2, results_dir="/results", python="py"), **values)


def resolve(references, context):
    """Everything is one test of that name, but for names that say otherwise."""
    return [resolution(reference) for reference in references]


def resolution(reference):
    if reference.startswith("idempotent"):
        config = {"runner.idempotent": reference.endswith("yes")}
        runnable = Runnable("noop", reference, config=config)
        return Resolution(reference, Answer.SUCCESS, (runnable,))
    if reference.startswith("needy"):
        own = (Requirement("file", "own"), Requirement("file", "job"))
        return Resolution(
            reference, Answer.SUCCESS, (Runnable("noop", reference, requirements=own),)
        )
    if reference.startswith("missing"):
        return Resolution(reference, Answer.NOT_MINE, (), f"{reference} does not exist")
    if reference.startswith("corrupt"):
        return Resolution(reference, Answer.CORRUPT, (), "line 3 is wrong")
    if reference.startswith("many"):
        runnables = tuple(Runnable("noop", f"{reference}-{n}") for n in range(10))
        return Resolution(reference, Answer.SUCCESS, runnables)
    tags = dict.fromkeys(reference.split("+")[1:])
    return Resolution(reference, Answer.SUCCESS, (Runnable("noop", reference, tags=tags),))


def plan(*references, **values):
    settings = config(**values)
    return make_plan([SuiteRequest(references, settings)], settings, resolve, base_dir=HERE)


def ids(planned):
    return [task.id for task in planned.plan.tasks]


def test_each_reference_becomes_a_task_even_if_named_twice():
    planned = plan("a", "b", "a")
    assert ids(planned) == ["1-a", "2-b", "3-a"]
    assert [task.reference for task in planned.plan.tasks] == ["a", "b", "a"]


def test_numbers_are_padded_to_the_width_of_the_count():
    assert ids(plan("many"))[0] == "01-many-0"


def test_settings_reach_the_plan():
    planned = plan(
        "a",
        job_timeout=5.0,
        fail_fast=True,
        dry_run=True,
        env={"A": "1"},
        task_timeout=3.0,
        task_slow=2.0,
        task_silence=1.0,
        grace=0.5,
        results=("tap",),
    )
    assert planned.plan.job_timeout == 5.0
    assert planned.plan.fail_fast
    assert planned.plan.dry_run
    assert planned.plan.payload_env == {"A": "1"}
    assert planned.plan.max_parallel == 2
    assert planned.plan.results_dir == Path("/results")
    assert planned.plan.base_dir == HERE
    assert planned.plan.writers == ("tap",)
    limits = planned.plan.tasks[0].limits
    assert (limits.timeout, limits.slow, limits.silence, limits.grace) == (3.0, 2.0, 1.0, 0.5)


def test_a_test_is_idempotent_if_it_says_so_or_its_suite_says_so_for_all_that_say_nothing():
    references = ("a", "idempotent-no", "idempotent-yes")
    suites = [
        SuiteRequest(references, config(idempotent=suite_says), name)
        for name, suite_says in (("one", False), ("two", True))
    ]
    tasks = make_plan(suites, config(), resolve, base_dir=HERE).plan.tasks
    assert [each.idempotent for each in tasks] == [False, False, True, True, False, True]


def test_tests_require_what_job_and_suite_do_and_then_what_they_do_themselves():
    job, suite, own = (Requirement("file", each) for each in ("job", "suite", "own"))
    suites = [
        SuiteRequest(("needy", "a"), config(), "one", (job, suite)),
        SuiteRequest(("corrupt", "a"), config(), "two", (job,)),
    ]
    settings = config(ignore_missing_references=True)
    tasks = make_plan(suites, settings, resolve, base_dir=HERE).plan.tasks
    assert [each.runnable.requirements for each in tasks] == [
        (job, suite, own),
        (job, suite),
        (),
        (job,),
    ]


def test_files_that_are_brought_elsewhere_are_those_of_the_beginning(tmp_path):
    (tmp_path / "lib.py").write_text("x")
    wanted = (Requirement("file", "lib.py", (), {"bring": True}), Requirement("file", "other"))
    for spawner, known in (("process", False), ("podman", True)):
        settings = config(spawner=spawner)
        suite = SuiteRequest(("a",), settings, "one", wanted)
        [task] = make_plan([suite], settings, resolve, base_dir=tmp_path).plan.tasks
        first, second = task.runnable.requirements
        assert ("sha256" in first.kwargs) is known
        assert second == wanted[1]


def test_relative_results_folders_start_where_the_user_is():
    assert plan("a", results_dir="out").plan.results_dir == HERE / "out"


def test_every_refused_reference_is_listed_with_its_reason_and_nothing_runs():
    with pytest.raises(ResolveError) as caught:
        plan("a", "missing-b", "corrupt-c")
    assert str(caught.value).splitlines() == [
        "resolve 2 of 3 references:",
        "  missing-b: does not exist",
        "  corrupt-c: line 3 is wrong",
    ]


def test_missing_references_can_be_ignored_and_corrupt_ones_end_in_error():
    planned = plan("a", "missing-b", "corrupt-c", ignore_missing_references=True)
    assert planned.notices == ("ignored: missing-b: does not exist",)
    assert planned.plan.facts == {"ignored_references": ["missing-b"]}
    assert ids(planned) == ["1-a", "2-corrupt-c"]
    broken = planned.plan.tasks[1].runnable
    assert (broken.kind, broken.kwargs) == ("malformed", {"reason": "line 3 is wrong"})


def test_nothing_to_run_is_an_error_even_if_missing_references_are_ignored():
    with pytest.raises(ResolveError, match="find a test to run: the references lead to none"):
        plan("missing", ignore_missing_references=True)
    with pytest.raises(ResolveError, match="the list of references is empty"):
        plan()


def test_tags_filter_but_never_hide_what_is_corrupt():
    planned = plan(
        "a+fast",
        "b+slow",
        "corrupt",
        filter_by_tags=("fast",),
        ignore_missing_references=True,
    )
    assert ids(planned) == ["1-a+fast", "2-corrupt"]


def test_tags_that_leave_nothing_are_an_error():
    with pytest.raises(ResolveError) as caught:
        plan("a+fast", "b", filter_by_tags=("slow", "net"))
    assert str(caught.value) == (
        "find a test to run: none of 2 tests fits the tags asked for (slow or net)"
    )


def test_a_bad_tag_filter_is_named_with_its_source():
    layers = [{"filter.by_tags": Value(("a,,b",), "nrunner.toml:7")}]
    settings = build(layers)
    with pytest.raises(UsageError, match=r"use nrunner\.toml:7: tag filter 'a,,b'"):
        make_plan([SuiteRequest(("a",), settings)], settings, resolve, base_dir=HERE)


def test_the_same_seed_gives_the_same_order_and_no_test_is_lost():
    first, again, other = plan("many", seed=7), plan("many", seed=7), plan("many", seed=8)
    names = [[task.runnable.name for task in each.plan.tasks] for each in (first, again, other)]
    assert names[0] == names[1] != names[2]
    assert sorted(names[0]) == [f"many-{n}" for n in range(10)]
    assert ids(first)[0].startswith("01-")
    assert first.plan.facts == {"shuffle_seed": 7}


def test_shuffling_tells_the_seed_that_gives_this_order_again():
    planned = plan("many", shuffle=True)
    seed = planned.plan.facts["shuffle_seed"]
    assert planned.notices == (f"shuffled with seed {seed}: --seed {seed} gives this order again",)
    assert ids(plan("many", seed=seed)) == ids(planned)


def test_suites_share_one_numbering_and_stay_in_order_when_shuffled():
    settings = config(seed=1)
    slow = replace(settings, task_timeout=60.0)
    suites = [SuiteRequest(("many",), settings, "one"), SuiteRequest(("many",), slow, "two")]
    tasks = make_plan(suites, settings, resolve, base_dir=HERE).plan.tasks
    assert [task.number for task in tasks] == list(range(1, 21))
    assert [task.suite for task in tasks] == ["one"] * 10 + ["two"] * 10
    assert {task.limits.timeout for task in tasks[:10]} == {None}
    assert {task.limits.timeout for task in tasks[10:]} == {60.0}
    assert tasks[0].id.startswith("01-")


def test_runner_settings_go_into_the_plan_and_not_into_each_runnable():
    settings = build(
        [
            {
                "runner.exectest.exitcodes.skip": Value((77,), "x"),
                "runner.python": Value("/py", "x"),
            }
        ]
    )
    planned = make_plan([SuiteRequest(("a",), settings)], settings, resolve, base_dir=HERE)
    assert planned.plan.config == {
        "runner.exectest.exitcodes.skip": [77],
        "runner.python": "/py",
    }
    assert planned.plan.tasks[0].runnable.config == {}


def test_local_tasks_get_the_interpreter_found_here_and_others_only_one_asked_for():
    assert plan("a").plan.config == {"runner.python": "py"}
    assert plan("a", spawner="podman").plan.config == {}


def test_a_suites_own_runner_settings_and_environment_travel_with_its_runnables():
    job = {"runner.python": Value("/py", "x"), "run.env": Value({"A": "1"}, "x")}
    suite = {
        "runner.exectest.exitcodes.skip": Value((77,), "y"),
        "run.env": Value({"B": "2"}, "y"),
    }

    def with_recipe(references, context):
        own = {"runner.exectest.exitcodes.skip": [1]}
        return [
            Resolution("a", Answer.SUCCESS, (Runnable("noop"), Runnable("noop", config=own))),
        ]

    suites = [SuiteRequest(("a",), build([job, suite]), "s")]
    plain, own = make_plan(suites, build([job]), with_recipe, base_dir=HERE).plan.tasks
    env = {"A": "1", "B": "2"}
    assert plain.runnable.config == {"runner.exectest.exitcodes.skip": [77], "runner.env": env}
    assert own.runnable.config == {"runner.exectest.exitcodes.skip": [1], "runner.env": env}


def test_variables_of_a_recipe_are_added_to_those_of_its_suite_and_beat_them():
    def with_recipe(references, context):
        own = {"runner.env": {"B": "recipe", "C": "recipe"}}
        return [Resolution("a", Answer.SUCCESS, (Runnable("noop", config=own),))]

    suite = {"run.env": Value({"A": "suite", "B": "suite"}, "x")}
    requests = [SuiteRequest(("a",), build([suite]), "s")]
    [task] = make_plan(requests, build([]), with_recipe, base_dir=HERE).plan.tasks
    env = {"A": "suite", "B": "recipe", "C": "recipe"}
    assert task.runnable.config == {"runner.env": env}


def test_resolvers_are_told_what_the_suite_says():
    seen = []

    def asked(references, context):
        seen.append(context)
        return [resolution(each) for each in references]

    settings = config(static=True, discovery_timeout=2.0)
    make_plan([SuiteRequest(("a",), settings)], settings, asked, base_dir=HERE)
    context = seen[0]
    assert (context.base_dir, context.static, context.python, context.discovery_timeout) == (
        HERE,
        True,
        "py",
        2.0,
    )
