"""Where a task is, and the only table of the moves it may make.

Not responsible for when a move is made; that is ``nrunner.machine``. The diagram in
docs/architecture.md is generated from this table (``python -m nrunner.phase``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nrunner.record import Word

__all__ = ["MOVES", "Phase", "diagram", "is_legal"]


class Phase(Word):
    """Where a task is."""

    REQUESTED = "REQUESTED"
    TRIAGING = "TRIAGING"
    PREPARING = "PREPARING"
    READY = "READY"
    STARTING = "STARTING"
    STARTED = "STARTED"
    FINISHED = "FINISHED"
    INTERRUPTED = "INTERRUPTED"
    FAILED_TO_START = "FAILED_TO_START"
    DISCARDED = "DISCARDED"

    @property
    def is_end(self) -> bool:
        """Whether an attempt that is here is over (a retry may still follow)."""
        return self in _ENDS


_ENDS = frozenset({Phase.FINISHED, Phase.INTERRUPTED, Phase.FAILED_TO_START, Phase.DISCARDED})

MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.REQUESTED: frozenset({Phase.TRIAGING, Phase.DISCARDED}),
    Phase.TRIAGING: frozenset({Phase.PREPARING, Phase.READY, Phase.DISCARDED}),
    Phase.PREPARING: frozenset({Phase.READY, Phase.TRIAGING, Phase.DISCARDED}),
    Phase.READY: frozenset({Phase.STARTING, Phase.TRIAGING, Phase.DISCARDED}),
    Phase.STARTING: frozenset({Phase.STARTED, Phase.FAILED_TO_START}),
    Phase.STARTED: frozenset({Phase.FINISHED, Phase.INTERRUPTED}),
    Phase.FINISHED: frozenset({Phase.READY, Phase.TRIAGING}),
    Phase.INTERRUPTED: frozenset({Phase.READY, Phase.TRIAGING}),
    Phase.FAILED_TO_START: frozenset({Phase.READY, Phase.TRIAGING}),
    Phase.DISCARDED: frozenset(),
}


def is_legal(source: Phase, target: Phase) -> bool:
    """Whether a task may move from `source` to `target`."""
    return target in MOVES[source]


def diagram() -> str:
    """Return the table as a Mermaid state diagram; moves out of an end are retries."""
    lines = ["stateDiagram-v2", "    [*] --> REQUESTED"]
    for source, targets in MOVES.items():
        lines += [
            f"    {source.value} --> {target.value}{_label(source, target)}"
            for target in Phase
            if target in targets
        ]
    lines += [f"    {phase.value} --> [*]" for phase in Phase if phase.is_end]
    return "\n".join(lines)


def _label(source: Phase, target: Phase) -> str:
    if target is Phase.TRIAGING and source is not Phase.REQUESTED:
        return " : environment lost" if source is Phase.READY else " : elsewhere"
    return " : retry" if source.is_end else ""


if __name__ == "__main__":
    print(diagram())
