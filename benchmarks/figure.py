"""Figures made of what was measured: times per test, ratios between tools, memory. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.series import Outcome
from benchmarks.statistic import median_or_none, paired_ratio, per_test
from benchmarks.tool import Case

__all__ = ["CaseFigures", "Figures"]


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """The outcomes of one case."""

    case: Case
    outcomes: tuple[Outcome, ...]

    def outcome(self, tool: str) -> Outcome | None:
        """Return what was measured of a tool, or None if it was not."""
        for outcome in self.outcomes:
            if outcome.tool.name == tool and outcome.seconds and not outcome.broken:
                return outcome
        return None

    def per_test(self, tool: str) -> Sequence[float]:
        """Return seconds per test with the start-up taken off, one for each round."""
        outcome = self.outcome(tool)
        if outcome is None:
            return []
        return per_test(outcome.seconds, outcome.one, outcome.tests, self.case.own_seconds)

    def cpu_per_test(self, tool: str) -> Sequence[float]:
        """Return CPU seconds per test with the start-up taken off, one for each round."""
        outcome = self.outcome(tool)
        return [] if outcome is None else per_test(outcome.cpu, outcome.one_cpu, outcome.tests)

    def whole(self, tool: str) -> Sequence[float]:
        """Return seconds per test of the whole run, start-up included, one for each round."""
        outcome = self.outcome(tool)
        return [] if outcome is None else per_test(outcome.seconds, (), outcome.tests)

    def ratio(self, upper: str, lower: str) -> float | None:
        """Return how long a test takes with one tool as a multiple of another's."""
        return paired_ratio(self.per_test(upper), self.per_test(lower))

    def whole_ratio(self, upper: str, lower: str) -> float | None:
        """Return the same of whole runs."""
        return paired_ratio(self.whole(upper), self.whole(lower))

    def first_output_ratio(self, upper: str, lower: str) -> float | None:
        """Return the same of the time to the first output."""
        a, b = self.outcome(upper), self.outcome(lower)
        return paired_ratio(a.first_output, b.first_output) if a and b else None

    def one(self, tool: str) -> float | None:
        """Return the median of the seconds that a run of a single test takes."""
        outcome = self.outcome(tool)
        return None if outcome is None else median_or_none(outcome.one)

    def figure(self, tool: str, name: str) -> float | None:
        """Return the median of a figure that a tool told of itself."""
        outcome = self.outcome(tool)
        return None if outcome is None else median_or_none(outcome.figures.get(name, []))

    def memory(self, tool: str, part: str = "main") -> int | None:
        """Return a tool's peak memory in KiB; `part` is main, agent or whole."""
        outcome = self.outcome(tool)
        if outcome is None or outcome.memory is None:
            return None
        size: int = getattr(outcome.memory, part)
        return size or None


@dataclass(frozen=True, slots=True)
class Figures:
    """All cases that were measured."""

    cases: tuple[CaseFigures, ...]

    def case(self, key: str) -> CaseFigures | None:
        """Return a case by its key, or None if it was not measured."""
        return next((each for each in self.cases if each.case.key == key), None)
