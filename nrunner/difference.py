"""What became of tests from one job to another: failing now, fixed, slower, gone, new.

Pure: takes reports and returns what differs. Tests are the same if suite and name are; of those
that occur more than once the first is compared with the first, and so on. Not responsible for
reading jobs, nor for how a difference is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nrunner.record import dataclass, field
from nrunner.result import Result
from nrunner.results.base import TaskReport
from nrunner.results.text import task_name

__all__ = ["KINDS", "Change", "Difference", "difference"]

_LEAST_SLOWER = 0.1
"""Seconds: what takes so little longer may be chance, whatever the ratio."""
_SKIPPED = (Result.SKIP, Result.CANCEL)

KINDS = {
    "newly_failing": "NEWLY FAILING",
    "fixed": "FIXED",
    "slower": "SLOWER",
    "skipped": "NOT RUN ANY MORE",
    "gone": "GONE",
    "new": "NEW",
}
"""Each sort of change, and what it is called; those that matter most come first."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of a task: enough to compare it."""

    result: Result
    cause: str
    detail: str
    elapsed: float


@dataclass(frozen=True, slots=True)
class Change:
    """One test that is not as it was."""

    name: str
    suite: str
    before: _Known | None
    after: _Known | None

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "name": self.name,
            "suite": self.suite,
            "before": None if self.before is None else _to_json(self.before),
            "after": None if self.after is None else _to_json(self.after),
        }


def _to_json(known: _Known) -> dict[str, Any]:
    return {
        "result": known.result.value,
        "cause": known.cause,
        "detail": known.detail,
        "elapsed": known.elapsed,
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two jobs."""

    changes: Mapping[str, list[Change]] = field(default_factory=dict)
    """By sort, all of ``KINDS``."""
    same: int = 0
    """How many tests ended as they did before."""
    still_failing: int = 0
    """How many of those fail."""

    @property
    def is_worse(self) -> bool:
        """Whether anything fails that did not fail before."""
        new = (each.after for each in self.changes["new"])
        bad = any(each is not None and not each.result.is_ok for each in new)
        return bool(self.changes["newly_failing"]) or bad


def difference(
    before: Iterable[TaskReport], after: Iterable[TaskReport], *, slower: float = 1.5
) -> Difference:
    """Compare two jobs; `slower` is how many times longer a test that passes has to take."""
    old = dict(_known(before))
    changes: dict[str, list[Change]] = {kind: [] for kind in KINDS}
    same = failing = 0
    for key, now in _known(after):
        was = old.pop(key, None)
        kind = "new" if was is None else _kind(was, now, slower)
        if kind:
            changes[kind].append(Change(key[1], key[0], was, now))
        else:
            same += 1
            failing += not now.result.is_ok
    changes["gone"] += [Change(key[1], key[0], was, None) for key, was in old.items()]
    return Difference(changes, same, failing)


def _kind(was: _Known, now: _Known, slower: float) -> str:
    if not now.result.is_ok:
        return "newly_failing" if was.result.is_ok else ""
    if now.result in _SKIPPED:
        return "" if was.result in _SKIPPED else "skipped"
    if not was.result.is_ok:
        return "fixed"
    longer = now.elapsed - was.elapsed
    is_slower = longer >= _LEAST_SLOWER and now.elapsed >= slower * was.elapsed
    return "slower" if is_slower and was.result not in _SKIPPED else ""


def _known(tasks: Iterable[TaskReport]) -> Iterator[tuple[tuple[str, str, int], _Known]]:
    seen: Counter[tuple[str, str]] = Counter()
    for task in tasks:
        name = task_name(task.id)
        seen[task.suite, name] += 1
        known = _Known(task.result, task.cause.value, task.detail[:2000], task.elapsed)
        yield (task.suite, name, seen[task.suite, name]), known
