"""Events of agents, translated into events of the machine.

The one place where fields of an agent's ``event`` frame are read. Not responsible for their
order (``nrunner.environment``) nor for what follows from them (``nrunner.machine``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrunner.ending import Ending, Stop
from nrunner.event import Ended, NotStarted, Started, TaskEvent
from nrunner.result import Cause, Result, Verdict

__all__ = ["translate"]

_RESULTS = {result.wire: result for result in Result}
_TEXTS = ("fail_reason", "class_name", "fail_class", "traceback", "returncode", "core", "contract")
_MORE = ("malformed", "stop_detail", "trouble", "elapsed", "layer", "whiteboard", "doing")
_COPIED = (*_TEXTS, *_MORE)


def translate(head: Mapping[str, Any], time: float) -> TaskEvent | None:
    """Return the event that a frame stands for, None if it is for people only.

    `time` is the second at which it happened, on the controller's monotonic clock.
    """
    kind = head["event"]
    if kind == "started":
        return Started(time, head["task"], head["attempt"])
    if kind == "ended":
        return Ended(time, head["task"], head["attempt"], _ending(head))
    if kind == "not_started":
        return NotStarted(time, head["task"], head["attempt"], _refusal(head))
    return None


def _ending(head: Mapping[str, Any]) -> Ending:
    try:
        return _ending_as_told(head)
    except (TypeError, ValueError) as error:
        return Ending(None, trouble=f"the agent's word on its end is not understood: {error}")


def _ending_as_told(head: Mapping[str, Any]) -> Ending:
    fields = {name: head[name] for name in _COPIED if name in head}
    for name in ("leaks", "unkillable", "outputs"):
        if name in head:
            fields[name] = tuple(head[name])
    if "stop" in head:
        fields["stop"] = Stop(head["stop"])
    return Ending(_RESULTS.get(head.get("result", "")), **fields)


_REFUSALS = {
    "malformed": (Result.ERROR, Cause.MALFORMED),
    "cancelled": (Result.CANCEL, Cause.CANCELLED),
    "unsuitable": (Result.SKIP, Cause.UNSUITABLE),
}


def _refusal(head: Mapping[str, Any]) -> Verdict:
    result, cause = _REFUSALS.get(str(head.get("cause")), (Result.ERROR, Cause.INFRA))
    return Verdict(result, cause, str(head.get("reason", "")))
