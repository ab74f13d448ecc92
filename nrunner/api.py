"""Jobs from Python: ``nrunner.Job`` and ``nrunner.Suite``, as documented in docs/api.md.

They do what ``nrunner run`` does, and print nothing unless asked. Not responsible for the job
itself (``nrunner.job``).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nrunner.config import Config
from nrunner.errors import ExitCode, RecipeError, UsageError
from nrunner.job import Job as Controller
from nrunner.job import run_to_end
from nrunner.launch import Launch
from nrunner.layer import Layer, build, given_layer, load
from nrunner.plan import JobPlan
from nrunner.planner import SuiteRequest, make_plan
from nrunner.record import dataclass, field, replace
from nrunner.requirement import joined
from nrunner.resolver.base import Context, Resolution
from nrunner.resolver.engine import resolve
from nrunner.resolver.registry import load_resolvers
from nrunner.result import Result
from nrunner.results.base import JobReport, Listener, TaskReport
from nrunner.results.registry import listeners_for
from nrunner.runnable import Requirement, Runnable
from nrunner.task import Task
from nrunner.variant import named

__all__ = ["Job", "JobResult", "Suite"]

Reference = str | os.PathLike[str]
"""What to run, as on the command line, or the path of it."""
Need = Requirement | Mapping[str, Any]
"""What must hold, as an object or as recipes say it: ``{"type": "file", "uri": "data.bin"}``."""


_Recipe = TypeVar("_Recipe", Runnable, Requirement)


@dataclass(frozen=True)
class Suite:
    """Tests of a job that share settings, and run before those of the next suite."""

    references: Sequence[Reference] | Reference = ()
    """What to run, as on the command line; a single one need be in no list."""
    name: str = ""
    runnables: Sequence[Runnable | Mapping[str, Any]] = ()
    """Tests that need not be looked for; as objects, or as recipes say it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings that hold in this suite, by key: ``{"run.task_timeout": "15m"}``."""
    requirements: Sequence[Need] | Need = ()
    """What must hold before a test of the suite can start."""
    variants: Sequence[Mapping[str, Any]] = ()
    """Parameters that each test is run with in turn: ``[{"size": 1}, {"size": 2}]``."""


@dataclass(frozen=True)
class JobResult:
    """What became of a job that is over."""

    id: str
    folder: Path
    """Where its reports and logs are."""
    exit_code: ExitCode
    """What ``nrunner run`` would have returned."""
    tests: tuple[TaskReport, ...]
    """In order of their numbers."""
    elapsed: float
    """Seconds."""
    interrupted: str = ""
    """Why it was cut short, or empty."""

    @property
    def is_ok(self) -> bool:
        """Whether all is fine."""
        return self.exit_code == ExitCode.OK

    @property
    def failed(self) -> tuple[TaskReport, ...]:
        """The tests that are not fine."""
        return tuple(test for test in self.tests if not test.result.is_ok)

    def count(self, result: Result) -> int:
        """Return how many tests ended so."""
        return sum(test.result is result for test in self.tests)


class Job:
    """A job, to be run once: by `run`, or by `run_async` where there is an event loop."""

    def __init__(
        self,
        suites: Sequence[Suite | Reference] | Suite | Reference,
        settings: Mapping[str, Any] | None = None,
        *,
        base_dir: str | os.PathLike[str] | None = None,
        requirements: Sequence[Need] | Need = (),
        listeners: Sequence[Listener] = (),
        console: bool = False,
        files: bool = True,
    ) -> None:
        """Make a job of suites, or of references that become one.

        References are relative to `base_dir`, else to the current folder. `console` prints what
        ``nrunner run`` prints. Unless `files`, no nrunner.toml and no environment variable counts.
        Raise ConfigError for settings that are wrong, UsageError for two suites with one name.
        """
        self._suites = _suites(suites)
        self._base_dir = Path.cwd() if base_dir is None else Path(base_dir).absolute()
        self._given = given_layer(settings or {}, "settings of nrunner.Job")
        self._files = files
        self._requirements = requirements
        self._listeners = tuple(listeners)
        self._console = console
        self._lock = threading.Lock()
        self._has_begun = False
        self._controller: Controller | None = None
        self._stops: list[bool] = []
        self.config = self._config()
        """The settings that hold, of the job as a whole."""

    def plan(self) -> JobPlan:
        """Return what the job would run; raise ResolveError if that is nothing, or not there.

        Raise UsageError for what is no reference, Runnable, Requirement or variant.
        """
        resolvers, errors = load_resolvers()
        if errors:
            raise errors[0]

        def ask(references: Sequence[str], context: Context) -> Sequence[Resolution]:
            return resolve(references, resolvers, context)

        requests = [self._request(suite) for suite in self._suites]
        command = ("nrunner.Job", *(each for request in requests for each in request.references))
        planned = make_plan(requests, self.config, ask, base_dir=self._base_dir, command=command)
        return planned.plan

    def run(self) -> JobResult:
        """Run the job to its end. Raise NrunnerError if it cannot be run.

        In the main thread Ctrl-C and SIGTERM stop it as they stop ``nrunner run``.
        """
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            raise UsageError("run a job where an event loop runs: await its run_async()")
        return self._run(alone=threading.current_thread() is threading.main_thread())

    async def run_async(self) -> JobResult:
        """Run the job to its end, and let others run meanwhile.

        If the caller is cancelled, the job is stopped, and has ended when that is passed on.
        """
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(None, lambda: self._run(alone=False))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([running])
            raise

    def stop(self, *, kill: bool = False) -> None:
        """End the job, from any thread: nothing more is started, what runs is told to end.

        What runs is killed with `kill`. Reports are written, and `run` returns, as always.
        """
        with self._lock:
            self._stops.append(kill)
            if self._controller is not None:
                self._controller.stop_soon(kill=kill)

    def _run(self, *, alone: bool) -> JobResult:
        with self._lock:
            if self._has_begun:
                raise UsageError("run a job twice: make another one")
            self._has_begun = True
        plan = self.plan()
        ear = _Ear()
        listeners = (*self._shown(), *self._listeners, ear)
        launch = Launch(plan)
        try:
            controller = Controller(plan, listeners, launch, alone=alone)
        except BaseException:
            launch.abandon()
            raise
        with self._lock:
            self._controller = controller
            for kill in self._stops:
                controller.stop_soon(kill=kill)
        code = run_to_end(controller)
        return ear.result(controller, ExitCode(code))

    def _shown(self) -> Sequence[Listener]:
        if not self._console:
            return ()
        return listeners_for(sys.stdout, self.config.show, quiet=self.config.quiet)

    def _config(self, *layers: Layer) -> Config:
        if self._files:
            return load(os.environ, self._base_dir, self._given, *layers)
        return build([self._given, *layers])

    def _request(self, suite: Suite) -> SuiteRequest:
        where = f"settings of the suite {suite.name!r}"
        return SuiteRequest(
            _references(suite.references),
            self._config(given_layer(suite.settings, where, suite=True)),
            suite.name,
            joined(_needs(self._requirements), _needs(suite.requirements)),
            tuple(_made(Runnable, each, "runnable") for each in _listed(suite.runnables)),
            tuple(map(_variant, _listed(suite.variants))),
        )


def _suites(given: Sequence[Suite | Reference] | Suite | Reference) -> tuple[Suite, ...]:
    """Return suites; references among them become one."""
    several = _listed(given)
    suites = [each for each in several if isinstance(each, Suite)]
    references = [each for each in several if not isinstance(each, Suite)]
    return _told_apart((*([Suite(references)] if references or not suites else []), *suites))


def _told_apart(suites: tuple[Suite, ...]) -> tuple[Suite, ...]:
    """Return suites that differ in their names; raise UsageError if two were given the same."""
    names = [suite.name for suite in suites if suite.name]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"make a job of two suites that are named {twice[0]!r}")
    if len(suites) - len(names) <= 1:
        return suites
    free = (name for name in map("suite-{}".format, itertools.count(1)) if name not in names)
    return tuple(suite if suite.name else replace(suite, name=next(free)) for suite in suites)


def _references(given: Sequence[Reference] | Reference) -> tuple[str, ...]:
    """Return references as text; raise UsageError for what is none, rather than leave it out."""
    several = _listed(given)
    for each in several:
        if not isinstance(each, (str, os.PathLike)):
            raise UsageError(f"use {each!r} as a reference: expected text or a path")
    return tuple(os.fsdecode(each) for each in several)


def _needs(given: Any) -> list[Requirement]:
    """Return requirements; raise UsageError for what is none."""
    return [_made(Requirement, each, "requirement") for each in _listed(given)]


def _made(sort: type[_Recipe], given: Any, what: str) -> _Recipe:
    """Return what is given, or what it says as recipes do; raise UsageError for what is neither."""
    if not isinstance(given, (sort, Mapping)):
        raise UsageError(f"use {given!r} as a {what}: expected a {sort.__name__} or a dictionary")
    try:
        made = given if isinstance(given, sort) else sort.from_json(given)
    except RecipeError as error:
        # Not with what is given: there may be a location in it that is secret.
        raise UsageError(f"use a {what}: {error}") from error
    _refuse_foreign(made.to_json(), what)
    return made


def _variant(given: Any) -> Mapping[str, Any]:
    """Return the variant of some parameters; raise UsageError for what is none."""
    if not isinstance(given, Mapping):
        raise UsageError(f"use {given!r} as a variant: expected a dictionary of parameters")
    _refuse_foreign(given, "variant")
    return named(given)


def _refuse_foreign(data: Mapping[str, Any], what: str) -> None:
    """Raise UsageError for what cannot be told to where tests run."""
    try:
        json.dumps(dict(data), sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"use a {what}: it is not JSON: {error}") from error


def _listed(given: Any) -> list[Any]:
    """Return what is given in a list; a single thing need be in none."""
    # The letters of a text are not meant: its "/" would be searched for tests, with all below.
    is_one = isinstance(given, (str, os.PathLike, Mapping)) or not isinstance(given, Iterable)
    return [given] if is_one else list(given)


class _Ear:
    """Keeps what is told of a job."""

    def __init__(self) -> None:
        self._tests: list[TaskReport] = []
        self._job: JobReport | None = None

    def job_opened(self, job: JobReport) -> None:
        """Nothing to do."""

    def task_started(self, task: Task, time: float) -> None:
        """Nothing to do."""

    def task_settled(self, report: TaskReport) -> None:
        """Keep it."""
        self._tests.append(report)

    def notice(self, text: str) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""

    def job_closed(self, job: JobReport) -> None:
        """Keep it."""
        self._job = job

    def result(self, controller: Controller, code: ExitCode) -> JobResult:
        """Return what became of the job."""
        job = self._job
        tests = tuple(sorted(self._tests, key=lambda each: each.number))
        folder = controller.folder
        elapsed, interrupted = (job.elapsed, job.interrupted) if job else (0.0, "")
        return JobResult(folder.job_id, folder.root, code, tests, elapsed, interrupted)
