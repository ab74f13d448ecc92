"""Who has a device, in words for people (pure).

Not responsible for the lease itself, which is the device's affair (`nrunner.runners.lease`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nrunner.spawners.ssh.words import shown

__all__ = ["held_by", "holder_words", "until_of"]

_DAY = 86400
_LATEST = 1 << 33
"""Seconds after 1970: nothing is leased for longer."""


def held_by(lease: Any, offset: float) -> str:
    """Return by whom a lease is held, from what the device says of it; empty if it is free."""
    if not isinstance(lease, Mapping) or lease.get("held") is not True:
        return ""
    holder = lease.get("holder")
    return holder_words(holder, offset) if isinstance(holder, Mapping) else "held by somebody"


def holder_words(holder: Mapping[str, Any], offset: float) -> str:
    """Return who holds a device, since when and until when by our clock."""
    since, until = (_second(holder.get(name)) + offset for name in ("since", "until"))
    who, job = shown(holder.get("who", "somebody"), 100), shown(str(holder.get("job", ""))[:12])
    return (
        f"held by job {job} of {who} since {_moment(since)},"
        f" until {_moment(until)} unless it is renewed"
    )


def until_of(lease: Mapping[str, Any], offset: float) -> float:
    """Return until when a lease is held by our clock, 0 if that is not known."""
    holder = lease.get("holder")
    until = _second(holder.get("until")) if isinstance(holder, Mapping) else 0.0
    return until + offset if until else 0.0


def _second(value: object) -> float:
    is_one = isinstance(value, int | float) and 0 <= value < _LATEST
    return float(value) if is_one and isinstance(value, int | float) else 0.0


def _moment(seconds: float) -> str:
    moment = time.localtime(seconds)
    is_near = abs(seconds - time.time()) < _DAY / 2
    return time.strftime("%H:%M:%S" if is_near else "%Y-%m-%d %H:%M:%S", moment)
