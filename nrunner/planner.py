"""From configuration and references to the plan of a job: resolve, filter, shuffle, number.

Not responsible for where values come from (``nrunner.layer``), nor for carrying the plan out
(``nrunner.job``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.commandline import public_command
from nrunner.config import Config
from nrunner.errors import ResolveError, UsageError
from nrunner.plan import JobPlan, ReportTarget
from nrunner.record import dataclass, replace
from nrunner.requirement import is_brought, requiring
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.runnable import Requirement, Runnable
from nrunner.tags import TagFilter
from nrunner.task import Task, TaskLimits, make_tasks

__all__ = ["Planned", "Resolve", "SuiteRequest", "context_of", "make_plan", "refusal", "tag_filter"]

Resolve = Callable[[Sequence[str], Context], Sequence[Resolution]]
"""Asks the resolvers; ``nrunner.resolver.engine`` with its plugins bound."""

_VARIABLES = "runner.env"
"""Key of a Runnable's configuration: the variables that it has beside those of the job."""


@dataclass(frozen=True)
class SuiteRequest:
    """A suite as it was asked for: its references, and the configuration that holds in it."""

    references: tuple[str, ...]
    config: Config
    name: str = ""
    requirements: tuple[Requirement, ...] = ()
    """What all of its tests require: those of the job, then those of the suite."""
    runnables: tuple[Runnable, ...] = ()
    """Tests that nobody has to look for, after those that references lead to."""
    variants: tuple[Mapping[str, Any], ...] = ()
    """What each test is run with in turn, beside what a file says."""


@dataclass(frozen=True)
class Planned:
    """A plan, and what people should be told about how it came to be."""

    plan: JobPlan
    notices: tuple[str, ...] = ()


def make_plan(
    suites: Sequence[SuiteRequest],
    config: Config,
    resolve: Resolve,
    *,
    base_dir: Path,
    command: tuple[str, ...] = (),
    reports: tuple[ReportTarget, ...] = (),
    job_id: str = "",
) -> Planned:
    """Return the plan of a job; raise ResolveError if there is something or nothing to run."""
    resolved = [
        [*resolve(suite.references, context_of(suite.config, base_dir)), *_given(suite)]
        for suite in suites
    ]
    ignored = _refused(resolved, suites, config)
    wanted = [
        _with_parameters(pairs, suite, base_dir)
        for pairs, suite in zip(_wanted(resolved, suites), suites, strict=True)
    ]
    seed = _seed(config)
    if seed is not None:
        wanted = _shuffled(wanted, seed)
    plan = JobPlan(
        tasks=tuple(_number(wanted, suites, config, base_dir)),
        base_dir=base_dir,
        results_dir=base_dir / config.results_dir,
        command=public_command(command),
        spawner=config.spawner,
        max_parallel=config.max_parallel_tasks,
        job_timeout=config.job_timeout,
        fail_fast=config.fail_fast,
        dry_run=config.dry_run,
        payload_env=dict(config.env),
        config=_shared(config, base_dir),
        writers=config.results,
        reports=reports,
        facts=_facts(ignored, seed),
        job_id=job_id,
    )
    return Planned(plan, _notices(ignored, seed))


def _given(suite: SuiteRequest) -> list[Resolution]:
    return [Resolution(each.name, Answer.SUCCESS, (each,)) for each in suite.runnables]


Pair = tuple[str, Runnable]
"""A Runnable, after the reference that led to it."""


def _refused(
    resolved: Sequence[Sequence[Resolution]], suites: Sequence[SuiteRequest], config: Config
) -> list[Resolution]:
    """Return the references that are left out; raise ResolveError unless that may be."""
    refused = [each for suite in resolved for each in suite if each.answer is not Answer.SUCCESS]
    if refused and not config.ignore_missing_references:
        raise ResolveError(_refusals(refused, sum(len(suite.references) for suite in suites)))
    return [each for each in refused if each.answer is Answer.NOT_MINE]


def _wanted(
    resolved: Sequence[Sequence[Resolution]], suites: Sequence[SuiteRequest]
) -> list[list[Pair]]:
    """Return what to run of each suite; raise ResolveError if that is nothing at all."""
    found = [[pair for each in suite for pair in _pairs(each)] for suite in resolved]
    wanted = [_filtered(pairs, suite.config) for pairs, suite in zip(found, suites, strict=True)]
    if not any(wanted):
        raise ResolveError(_nothing(sum(map(len, found)), suites))
    return wanted


def _with_parameters(pairs: list[Pair], suite: SuiteRequest, base_dir: Path) -> list[Pair]:
    """Return tests with their variants, and those that see no environment with parameters."""
    config = suite.config
    if config.json_variants_load is not None or suite.variants:
        from nrunner.variant import read_variants, spread

        variants = suite.variants
        if config.json_variants_load is not None:
            variants += read_variants(base_dir / config.json_variants_load)
        pairs = spread(pairs, variants, config.execution_order)
    if config.env or config.store_logging_stream:
        from nrunner.instrumented import told

        streams = config.store_logging_stream
        pairs = [(reference, told(each, config.env, streams)) for reference, each in pairs]
    return pairs


def context_of(config: Config, base_dir: Path) -> Context:
    """Return what resolvers are told beside the references."""
    return Context(
        base_dir,
        static=config.static,
        python=config.python,
        discovery_timeout=config.discovery_timeout,
        env=dict(config.env),
        isolation=config.isolation,
        run_executables=config.run_executables,
        exec_arguments=config.exec_arguments or "",
        python_tests=config.python_tests,
    )


def tag_filter(config: Config) -> TagFilter:
    """Return the filter that is configured; raise UsageError that says where."""
    try:
        return TagFilter.parse(
            config.filter_by_tags,
            config.filter_include_empty,
            config.filter_include_empty_key,
        )
    except UsageError as error:
        raise UsageError(f"use {config.source('filter.by_tags')}: {error}") from error


def refusal(resolution: Resolution) -> str:
    """Return a line on why a reference was refused."""
    from nrunner.resolver.reference import shown

    name = shown(resolution.reference)
    reason = resolution.reason.removeprefix(f"{name}: ").removeprefix(f"{name} ")
    return f"{name}: {reason}"


def _refusals(refused: Sequence[Resolution], total: int) -> str:
    names = {each.reference for each in refused}
    lines = "".join(f"\n  {refusal(each)}" for each in refused)
    return f"resolve {len(names)} of {total} {'reference' if total == 1 else 'references'}:{lines}"


def _pairs(resolution: Resolution) -> list[Pair]:
    """Return what to run for a reference; one that is corrupt ends as a task in error."""
    if resolution.answer is Answer.CORRUPT:
        kwargs = {"reason": resolution.reason}
        broken = Runnable("malformed", uri=resolution.reference, kwargs=kwargs)
        return [(resolution.reference, broken)]
    return [(resolution.reference, each) for each in resolution.runnables]


def _filtered(pairs: list[Pair], config: Config) -> list[Pair]:
    wanted = tag_filter(config)
    return [
        (reference, runnable)
        for reference, runnable in pairs
        if runnable.kind == "malformed" or wanted.admits(runnable.tags)
    ]


def _nothing(found: int, suites: Sequence[SuiteRequest]) -> str:
    if found:
        asked = dict.fromkeys(text for suite in suites for text in suite.config.filter_by_tags)
        has = "the one test found does not fit" if found == 1 else f"none of {found} tests fits"
        return f"find a test to run: {has} the tags asked for ({' or '.join(asked)})"
    if any(suite.references for suite in suites):
        return "find a test to run: the references lead to none"
    return "find a test to run: the list of references is empty"


def _seed(config: Config) -> int | None:
    if config.seed is None and config.shuffle:
        import secrets

        return secrets.randbelow(2**32)
    return config.seed


def _shuffled(suites: list[list[Pair]], seed: int) -> list[list[Pair]]:
    """Return each suite in random order: the same for the same seed and tests."""
    import random

    source = random.Random(seed)
    return [source.sample(pairs, len(pairs)) for pairs in suites]


def _facts(ignored: Sequence[Resolution], seed: int | None) -> dict[str, Any]:
    facts: dict[str, Any] = {} if seed is None else {"shuffle_seed": seed}
    if ignored:
        facts["ignored_references"] = [each.reference for each in ignored]
    return facts


def _notices(ignored: Sequence[Resolution], seed: int | None) -> tuple[str, ...]:
    notices = [f"ignored: {refusal(each)}" for each in ignored]
    if seed is not None:
        notices.append(f"shuffled with seed {seed}: --seed {seed} gives this order again")
    return tuple(notices)


def _number(
    wanted: list[list[Pair]], suites: Sequence[SuiteRequest], config: Config, base_dir: Path
) -> list[Task]:
    """Return the tasks of all suites, numbered through the job."""
    count = sum(map(len, wanted))
    tasks: list[Task] = []
    for pairs, suite in zip(wanted, suites, strict=True):
        own = _own_config(suite.config, config)
        if own:
            pairs = [(reference, _with_config(each, own)) for reference, each in pairs]
        pairs = [(reference, requiring(each, suite.requirements)) for reference, each in pairs]
        if config.spawner != "process":
            pairs = [(reference, _pinned(each, base_dir)) for reference, each in pairs]
        made = make_tasks(
            _gathered(pairs, suite),
            _limits(suite.config),
            suite=suite.name,
            first=len(tasks) + 1,
            count=count,
            idempotent=suite.config.idempotent,
        )
        tasks += made
    return tasks


def _gathered(pairs: list[Pair], suite: SuiteRequest) -> list[tuple[str, Runnable, str]]:
    """Return each pair with the series it belongs to."""
    isolation = suite.config.isolation
    own = any("runner.isolation" in each.config for _, each in pairs)
    if isolation != "module" and not own:
        return [(reference, each, "") for reference, each in pairs]
    from nrunner.series import gathered

    return gathered(pairs, isolation, suite.name)


def _limits(config: Config) -> TaskLimits:
    return TaskLimits(config.task_timeout, config.task_slow, config.task_silence, config.grace)


def _shared(config: Config, base_dir: Path) -> dict[str, Any]:
    """Return the configuration that holds for every task, unless a recipe has its own."""
    shared = config.for_plugins()
    if config.spawner == "process":
        # Elsewhere there may be no such file, and the environment's own python3 is meant.
        shared.setdefault("runner.python", config.python)
    if config.sysinfo or config.sysinfo_per_test:
        from nrunner.sysinfo import SURVEY, survey_of  # few jobs need it

        shared[SURVEY] = survey_of(config, base_dir)
    if "cache.dir" in shared:
        shared["cache.dir"] = str(base_dir / config.cache_dir)
    return shared


def _own_config(suite: Config, job: Config) -> dict[str, Any]:
    """Return the runner configuration in which a suite differs from its job."""
    shared = job.for_plugins()
    own = {key: each for key, each in suite.for_plugins().items() if shared.get(key) != each}
    if suite.env != job.env:
        own[_VARIABLES] = dict(suite.env)
    return own


def _pinned(runnable: Runnable, base_dir: Path) -> Runnable:
    """Return a Runnable whose files that are brought have the hash that they have now."""
    if not any(map(is_brought, runnable.requirements)):
        return runnable
    from nrunner.delivery import pinned

    return replace(runnable, requirements=pinned(runnable.requirements, base_dir))


def _with_config(runnable: Runnable, own: Mapping[str, Any]) -> Runnable:
    config = {**own, **runnable.config}
    variables = runnable.config.get(_VARIABLES)
    if isinstance(variables, Mapping):
        config[_VARIABLES] = {**own.get(_VARIABLES, {}), **variables}
    return replace(runnable, config=config)
