"""Series: tests that share one process, one after another (``--isolation=module``).

Says which tests these are, and brings those of a series together. Not responsible for what they
have in common, which the class of their kind knows, nor for running them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from nrunner.runnable import IDEMPOTENT, Runnable
from nrunner.runners import registry

__all__ = ["gathered", "series_of"]

_ISOLATION = "runner.isolation"


def series_of(runnable: Runnable, isolation: str, suite: str) -> str:
    """Return the name of the series of a test in a suite, empty if it has a process of its own."""
    if (
        runnable.config.get(_ISOLATION, isolation) != "module"
        or runnable.kind not in registry.KINDS
    ):
        return ""
    company = registry.runner(runnable.kind).company(runnable)
    if not company:
        return ""
    config = {key: each for key, each in runnable.config.items() if key != IDEMPOTENT}
    own = json.dumps(config, sort_keys=True) if config else ""
    return "|".join((suite, runnable.kind, company, own)) + _told(runnable)


def _told(runnable: Runnable) -> str:
    """Return a mark of the requirements that tell a test something: its process is told once."""
    told = [each.key for each in runnable.requirements if each.kind in registry.HANDING_KINDS]
    if not told:
        return ""
    import hashlib

    return "|" + hashlib.sha256("\n".join(sorted(told)).encode()).hexdigest()[:16]


def gathered(
    pairs: Iterable[tuple[str, Runnable]], isolation: str, suite: str
) -> list[tuple[str, Runnable, str]]:
    """Return each (reference, Runnable) with its series, the members of a series together.

    A series stands where its first member does; within it the order stays.
    """
    places: dict[str, list[tuple[str, Runnable, str]]] = {}
    for number, (reference, runnable) in enumerate(pairs):
        series = series_of(runnable, isolation, suite)
        places.setdefault(series or f"\0{number}", []).append((reference, runnable, series))
    return [each for place in places.values() for each in place]
