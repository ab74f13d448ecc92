"""Who has a device, in words for people (pure).

Not responsible for the lease itself, which is the device's affair (`nrunner.runners.lease`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

__all__ = ["held_by", "holder_words"]

_DAY = 86400


def held_by(lease: Any, offset: float) -> str:
    """Return by whom a lease is held, from what the device says of it; empty if it is free."""
    if not isinstance(lease, Mapping) or lease.get("held") is not True:
        return ""
    holder = lease.get("holder")
    return holder_words(holder, offset) if isinstance(holder, Mapping) else "held by somebody"


def holder_words(holder: Mapping[str, Any], offset: float) -> str:
    """Return who holds a device, since when and until when by our clock."""
    since, until = (float(holder.get(name) or 0) + offset for name in ("since", "until"))
    who, job = str(holder.get("who", "somebody")), str(holder.get("job", ""))[:12]
    return (
        f"held by job {job} of {who} since {_moment(since)},"
        f" until {_moment(until)} unless it is renewed"
    )


def _moment(seconds: float) -> str:
    moment = time.localtime(seconds)
    is_near = abs(seconds - time.time()) < _DAY / 2
    return time.strftime("%H:%M:%S" if is_near else "%Y-%m-%d %H:%M:%S", moment)
