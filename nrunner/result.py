"""How a task can end: Result, Cause and Verdict.

Not responsible for deciding which verdict a task gets; that is ``nrunner.machine``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nrunner.record import Word, dataclass

__all__ = ["Cause", "Result", "Verdict"]


class Result(Word):
    """What is shown for a task, in the words that Avocado's users know."""

    PASS = "PASS"
    FAIL = "FAIL"
    ERROR = "ERROR"
    SKIP = "SKIP"
    WARN = "WARN"
    INTERRUPT = "INTERRUPT"
    CANCEL = "CANCEL"

    @property
    def is_ok(self) -> bool:
        """Whether a job with this result alone counts as fine (exit code 0)."""
        return self in _OK

    @classmethod
    def from_wire(cls, word: str) -> Result:
        """Read the result of a ``finished`` message; any case; raise ValueError if unknown."""
        upper = word.upper()
        if upper == "INTERRUPTED":
            return cls.INTERRUPT
        return cls(upper)

    @property
    def wire(self) -> str:
        """The word that Avocado's runners put into a ``finished`` message."""
        return "interrupted" if self is Result.INTERRUPT else self.value.lower()


_OK = frozenset({Result.PASS, Result.SKIP, Result.WARN, Result.CANCEL})


class Cause(Word):
    """Where a verdict comes from: see the table in docs/architecture.md."""

    TEST = "test"
    CONTRACT = "contract"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    REQUIREMENT = "requirement"
    UNSUITABLE = "unsuitable"
    INFRA = "infra"
    CANCELLED = "cancelled"
    LOST = "lost"


@dataclass(frozen=True)
class Verdict:
    """The one final answer about a task: what, why, and a line of detail for people."""

    result: Result
    cause: Cause
    detail: str = ""
