"""What a fake environment does with an attempt, and what goes wrong there.

Not responsible for doing it (``nrunner.testing.fake_agent``).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Script", "Trouble"]


class Trouble(enum.Enum):
    """What goes wrong around an attempt."""

    DIE_FIRST = "the environment ends when the order arrives"
    DIE = "the environment ends while it runs"
    LOSE_ORDER = "the link is cut before the order arrives"
    LOSE_LINK = "the link is cut while it runs; it ends meanwhile"
    LOSE_EVENT = "the link is cut while the event of its end is on the way"
    REPEAT = "every event of it comes twice"
    RENUMBER = "every event of it comes twice, the second time as if it were another one"
    FORGE = "events come of tasks, attempts and things that nobody knows"
    LATE = "it starts and ends once more when it is over"
    CONTRADICT = "first it is started, then it never was"
    END_ONLY = "it ends without having started"
    GAP = "the event of its start is missing"
    NONSENSE = "the event of its end has fields of the wrong types"
    DEAF = "orders to end it are not heard"


@dataclass(frozen=True, slots=True)
class Script:
    """What becomes of an attempt, or of a requirement that is to be fulfilled."""

    result: str = "pass"
    """As in a ``finished`` message; a requirement is met by ``pass``."""
    run_for: float = 0.0
    """Seconds until it ends by itself."""
    blocks: bool = False
    """Whether it never ends by itself."""
    ignores_term: bool = False
    """Whether only a kill, or the end of its grace, ends it."""
    refuse_to_start: str = ""
    """Why it cannot be started, if it cannot."""
    refuse_cause: str = "infra"
    stdout: bytes = b""
    trouble: Trouble | None = None
    link_lost_for: float = 0.0
    """How long nobody can connect again after the link was cut, in seconds."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of its ``ended`` event: ``fail_reason``, ``contract``, ``leaks``, ..."""
