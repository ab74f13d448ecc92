"""What a job is about at a moment: what runs and for how long, and why the rest waits.

Pure: takes states and returns lines. Not responsible for who asks (``nrunner.questions``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from nrunner.phase import Phase
from nrunner.result import Result
from nrunner.results.text import shortened
from nrunner.taskstate import TaskState

__all__ = ["situation"]

_MOST = 20
_NAMED = 5


def situation(
    states: Sequence[TaskState],
    counts: Mapping[Result, int],
    total: int,
    slots: int | None,
    time: float,
    began: float,
) -> list[str]:
    """Return lines that say where a job is at a second of the monotonic clock.

    `states` are those of tasks under way, `counts` say how those ended that are settled.
    """
    done = sum(counts.values())
    bad = ", ".join(f"{n} {each.value}" for each, n in counts.items() if n and not each.is_ok)
    running = [each for each in states if each.phase is Phase.STARTED and each.started is not None]
    waiting = total - done - len(running)
    head = f"{done} of {total} done{f' ({bad})' if bad else ''}, {len(running)} run, {waiting} wait"
    lines = [f"STATUS     : {head}; {time - began:.0f} s"]
    running.sort(key=lambda each: each.started or 0.0)
    for each in running[:_MOST]:
        seconds = time - (each.started or time)
        place = f" ({shortened(each.place, 60)})" if each.place else ""
        again = f", attempt {each.attempt}" if each.attempt > 1 else ""
        told = "told to end" if each.ordered is not None else "runs"
        lines.append(f"  {told} {seconds:8.1f} s  {shortened(each.task.id, 200)}{place}{again}")
    if len(running) > _MOST:
        lines.append(f"  and {len(running) - _MOST} more run")
    return lines + _waiting(states, total - done, slots)


def _waiting(states: Sequence[TaskState], open_: int, slots: int | None) -> list[str]:
    lines = []
    preparing = [each for each in states if each.phase is Phase.PREPARING]
    if preparing:
        needs = Counter(title for each in preparing for title in _titles(each))
        named = ", ".join(shortened(title, 80) for title, _ in needs.most_common(_NAMED))
        lines.append(f"  waits: {len(preparing)} for what they require: {named}")
    for phase, why in (
        (Phase.TRIAGING, "for a place that suits them"),
        (Phase.READY, "for a slot" if slots is None else f"for one of {slots} slots"),
        (Phase.STARTING, "ordered, for their agent to start them"),
    ):
        count = sum(each.phase is phase for each in states)
        if count:
            lines.append(f"  waits: {count} {why}")
    later = open_ - len(states)
    if later > 0:
        lines.append(f"  waits: {later} for their turn")
    return lines


def _titles(state: TaskState) -> list[str]:
    return [each.title for each in state.task.runnable.requirements] or ["a place to be made ready"]
