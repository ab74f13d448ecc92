"""Events of agents, translated into events of the machine.

The one place where fields of an agent's ``event`` frame are read. Not responsible for their
order (``nrunner.environment``) nor for what follows from them (``nrunner.machine``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nrunner.ending import Ending, Stop
from nrunner.event import Ended, NotStarted, Started, TaskEvent
from nrunner.result import Cause, Result, Verdict

__all__ = ["translate"]

_RESULTS = {result.wire: result for result in Result}
_COPIED: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("fail_reason", "class_name", "fail_class", "traceback", "whiteboard"), str),
    **dict.fromkeys(("stop_detail", "trouble", "layer", "doing"), str),
    **dict.fromkeys(("core", "contract", "malformed"), bool),
    "returncode": (int, type(None)),
    "elapsed": (int, float),
}
"""The fields that are taken as they are, and of which types they have to be."""
_OF_MEMBERS = {"leaks": Mapping, "unkillable": Mapping, "outputs": str}


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
    fields = {name: _checked(name, head[name], _COPIED[name]) for name in _COPIED if name in head}
    if not 0 <= fields.get("elapsed", 0) < math.inf:
        raise ValueError("elapsed: no time")
    for name, sort in _OF_MEMBERS.items():
        if name in head:
            members = _checked(name, head[name], list)
            fields[name] = tuple(_checked(name, each, sort) for each in members)
    if "stop" in head:
        fields["stop"] = Stop(head["stop"])
    return Ending(_RESULTS.get(head.get("result", "")), **fields)


def _checked(name: str, value: Any, sort: type | tuple[type, ...]) -> Any:
    if not isinstance(value, sort):
        raise TypeError(f"{name}: not of the right type")
    return value


_REFUSALS = {
    "malformed": (Result.ERROR, Cause.MALFORMED),
    "cancelled": (Result.CANCEL, Cause.CANCELLED),
    "unsuitable": (Result.SKIP, Cause.UNSUITABLE),
}


def _refusal(head: Mapping[str, Any]) -> Verdict:
    result, cause = _REFUSALS.get(str(head.get("cause")), (Result.ERROR, Cause.INFRA))
    return Verdict(result, cause, str(head.get("reason", "")))
