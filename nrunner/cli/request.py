"""What a command line asks for: suites of references, and the configuration that holds in each.

Shared by ``run`` and ``list``. Not responsible for resolving.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

from nrunner.cli.output import say_error
from nrunner.cli.settings import configuration, working_folder
from nrunner.config import Config
from nrunner.errors import UsageError
from nrunner.layer import Layer
from nrunner.planner import Resolve, SuiteRequest
from nrunner.record import dataclass
from nrunner.requirement import from_flag, joined
from nrunner.resolver.base import HINTS, Context, Resolution

__all__ = ["Request", "make_request", "plugged_resolve"]


@dataclass(frozen=True)
class Request:
    """What is to be run or listed."""

    suites: tuple[SuiteRequest, ...]
    config: Config
    """That of the job as a whole."""


def make_request(
    references: Sequence[str],
    job_file: str | None,
    flags: Layer,
    dependencies: Sequence[str] = (),
) -> Request:
    """Return what is asked for; raise UsageError if that is nothing, or too much.

    `dependencies` are the values of the flag that adds requirements to all tests.
    """
    if job_file is not None:
        _hinted()
        return _from_job_file(references, job_file, flags, dependencies)
    hinted = _hinted()
    if not references and not hinted:
        raise UsageError("tell what to run: give references, or --job FILE")
    references = references or hinted
    config = configuration(flags)
    required = from_flag(dependencies)
    suite = SuiteRequest(_expanded(references), config, requirements=required)
    return Request((suite,), config)


def _hinted() -> Sequence[str]:
    """Return the tests that a hint file names; raise ConfigError for a wrong one."""
    here = working_folder()
    if not any((here / name).exists() for name in HINTS):
        return ()
    from nrunner.resolver.hint_file import read_hints

    return tuple(read_hints(here))


def _from_job_file(
    references: Sequence[str], job_file: str, flags: Layer, dependencies: Sequence[str]
) -> Request:
    from nrunner.jobfile import read_job

    if references:
        raise UsageError("use references beside --job FILE: put them into a suite of that file")
    job = read_job(Path(job_file))
    required = joined(job.requirements, from_flag(dependencies))
    suites = tuple(
        SuiteRequest(
            _expanded(suite.references),
            configuration(job.settings, suite.settings, flags),
            suite.name,
            joined(required, suite.requirements),
        )
        for suite in job.suites
    )
    return Request(suites, configuration(job.settings, flags))


def _expanded(references: Sequence[str]) -> tuple[str, ...]:
    if not any(each[:1] in ("-", "@") for each in references):
        return tuple(references)
    from nrunner.resolver.reference import expand

    try:
        return tuple(expand(references, sys.stdin or io.BytesIO()))
    except UsageError as error:
        raise UsageError(f"read {error}") from error
    except OSError as error:
        raise UsageError(f"read references: {(error.strerror or str(error)).lower()}") from error


def plugged_resolve() -> Resolve:
    """Return the way to ask all resolvers there are; broken ones are named and left out."""
    from nrunner.resolver.engine import resolve
    from nrunner.resolver.registry import load_resolvers

    resolvers, errors = load_resolvers()
    for error in errors:
        say_error(str(error))

    def ask(references: Sequence[str], context: Context) -> Sequence[Resolution]:
        return resolve(references, resolvers, context)

    return ask
