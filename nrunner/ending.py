"""How an attempt ended, as an agent reports it: the raw material of a verdict.

Not responsible for the verdict itself; that is ``nrunner.settlement``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from nrunner.record import dataclass
from nrunner.result import Result

__all__ = ["Ending", "Stop"]


class Stop(enum.Enum):
    """Why an agent ended an attempt before it ended by itself."""

    TIMEOUT = "timeout"
    SILENCE = "silence"
    CANCELLED = "cancelled"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class Ending:
    """What an agent says when an attempt is over."""

    result: Result | None
    """The test's own word; None where it gave none."""
    fail_reason: str | None = None
    returncode: int | None = None
    core: bool = False
    class_name: str | None = None
    fail_class: str | None = None
    traceback: str | None = None
    contract: bool = False
    malformed: bool = False
    stop: Stop | None = None
    stop_detail: str = ""
    elapsed: float = 0.0
    """Seconds, by the monotonic clock of the agent's host."""
    leaks: tuple[Mapping[str, Any], ...] = ()
    """Processes that outlived the attempt: pid, command, age in seconds."""
    unkillable: tuple[Mapping[str, Any], ...] = ()
    """Processes that a SIGKILL did not end: pid, command, kernel wait channel."""
    trouble: str = ""
    """What went wrong on our side while the attempt was looked after, or empty."""
    layer: str = ""
    """What kept hold of its processes: ``cgroup``, ``subreaper`` or ``session``."""
    doing: str = ""
    """What it was doing when it passed a limit, in a few words."""
    whiteboard: str = ""
    outputs: tuple[str, ...] = ()
    """Names of the files in the task's folder that have something in them."""
