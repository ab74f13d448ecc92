"""Where one task is, as ``nrunner.machine`` keeps it until the task is settled.

Not responsible for changing it.
"""

from __future__ import annotations

from nrunner.phase import Phase
from nrunner.result import Verdict
from nrunner.runnable import Requirement
from nrunner.task import Attempt, Task

__all__ = ["TaskState"]


class TaskState:
    """Where one task is; dropped once it is settled."""

    __slots__ = (
        "alone",
        "attempt",
        "attempts",
        "avoid",
        "choice",
        "entered",
        "is_restored",
        "killed",
        "ordered",
        "phase",
        "place",
        "requirements",
        "started",
        "task",
        "unmet",
    )

    def __init__(self, task: Task, time: float) -> None:
        self.task = task
        self.phase = Phase.REQUESTED
        self.attempt = 0
        self.place = ""
        self.choice: tuple[str, ...] = ()
        """The pooled places of which it gets one; empty if it waits for a certain place.

        So do those that were taken over, until they are triaged.
        """
        self.requirements: tuple[Requirement, ...] = ()
        """What has to hold there."""
        self.started: float | None = None
        self.ordered: Verdict | None = None
        self.killed = False
        self.is_restored = False
        """Whether it stands where an earlier controller left it, and waits nowhere."""
        self.alone = False
        """Whether an environment died under it: it is tried again while nothing else runs."""
        self.avoid: tuple[str, ...] = ()
        self.attempts: list[Attempt] = []
        self.unmet: list[Verdict] = []
        self.entered: list[tuple[Phase, float]] = [(Phase.REQUESTED, time)]

    @property
    def needs(self) -> tuple[str, ...]:
        """The keys of what has to hold where it is to run."""
        return tuple(each.key for each in self.requirements)

    @property
    def verdicts(self) -> list[Verdict]:
        """What it came to so far, attempt by attempt, and where it could not be prepared."""
        return [*(each.verdict for each in self.attempts), *self.unmet]

    @property
    def story(self) -> str:
        """The phases it went through, for error messages."""
        return " -> ".join(phase.value for phase, _ in self.entered)
