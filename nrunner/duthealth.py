"""How a device is: in which of five states, why, and what each thing that happens makes of it.

Pure: who knows the time says it. Not responsible for keeping it (``nrunner.dutmemory``), nor for
finding out.
"""

from __future__ import annotations

import enum

from nrunner.record import dataclass, replace

__all__ = [
    "Failed",
    "Happening",
    "Health",
    "Restored",
    "Retired",
    "Returned",
    "Served",
    "Sound",
    "State",
    "Stuck",
    "Taken",
    "after",
    "at",
]

FIRST_QUARANTINE = 10.0
LONGEST_QUARANTINE = 3600.0


class State(enum.Enum):
    """Whether a device can be had."""

    FREE = "free"
    OWNED = "owned"
    """Somebody leases it."""
    QUARANTINED = "quarantined"
    """It failed: left alone for a while, then looked at before it gets anything to do."""
    BORKED = "borked"
    """It is leased, but whoever holds it there cannot be talked to."""
    RETIRED = "retired"
    """Out of service until a person says otherwise."""


@dataclass(frozen=True)
class Health:
    """A device's state, and what led there."""

    state: State = State.FREE
    reason: str = ""
    since: float = 0.0
    """Seconds since the epoch."""
    until: float = 0.0
    """When a lease or a quarantine ends; 0 if that is not known."""
    failures: int = 0
    """How often it has failed since it last was of use."""

    def is_due(self, now: float) -> bool:
        """Whether it is to be looked at, and used if all is well."""
        return self.state is State.QUARANTINED and self.until <= now

    def may_serve(self, now: float) -> bool:
        """Whether it can be had, or could if a look at it finds nothing wrong."""
        return at(self, now).state is State.FREE or self.is_due(now)


@dataclass(frozen=True)
class Taken:
    """Somebody has leased it."""

    owner: str
    until: float = 0.0


@dataclass(frozen=True)
class Returned:
    """The lease was given back."""


@dataclass(frozen=True)
class Served:
    """Something ran there, and what became of it is known."""


@dataclass(frozen=True)
class Failed:
    """It, or the way to it, was in trouble."""

    reason: str


@dataclass(frozen=True)
class Sound:
    """It was looked at, and nothing is wrong."""


@dataclass(frozen=True)
class Stuck:
    """It is leased by something that does not answer."""

    reason: str


@dataclass(frozen=True)
class Retired:
    """It is to get nothing to do any more."""

    reason: str


@dataclass(frozen=True)
class Restored:
    """A person puts it into service again."""


Happening = Taken | Returned | Served | Failed | Sound | Stuck | Retired | Restored
"""What can happen to a device."""


def at(health: Health, now: float) -> Health:
    """Return what has become of it by now, if nothing has happened: leases have an end."""
    if health.state is State.OWNED and 0 < health.until <= now:
        return replace(health, state=State.FREE, reason="", since=health.until, until=0.0)
    return health


def after(health: Health, happening: Happening, now: float) -> Health:
    """Return how a device is after something has happened to it."""
    health = at(health, now)
    match happening:
        case Retired(reason):
            return Health(State.RETIRED, reason, now, failures=health.failures)
        case Restored():
            return Health(since=now)
        case Served():
            return replace(health, failures=0)
    # Until then, whatever else happens: it is out of service.
    return health if health.state is State.RETIRED else _moved(health, happening, now)


def _moved(health: Health, happening: Happening, now: float) -> Health:
    match happening:
        case Taken(owner, until):
            return Health(State.OWNED, owner, now, until, health.failures)
        case Returned() if health.state is State.OWNED:
            return Health(since=now, failures=health.failures)
        case Sound() if health.state in (State.QUARANTINED, State.BORKED):
            return Health(since=now, failures=health.failures)
        case Stuck(reason) if health.state is not State.BORKED:
            return Health(State.BORKED, reason, now, failures=health.failures)
        case Failed(reason):
            return _failed(health, reason, now)
    return health


def _failed(health: Health, reason: str, now: float) -> Health:
    """Return it quarantined, for twice as long as the last time if it was of no use since."""
    if health.state is State.BORKED:
        return health
    if health.state is State.QUARANTINED and now < health.until:
        return health  # what runs there fails all at once: that is one failure
    failures = health.failures + 1
    length = min(FIRST_QUARANTINE * 2 ** min(failures - 1, 16), LONGEST_QUARANTINE)
    return Health(State.QUARANTINED, reason, now, now + length, failures)
