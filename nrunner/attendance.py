"""Attempts that are at one place, and what is believed of what an agent says of them.

An agent may lie, repeat itself, or speak of what an earlier controller has heard. Not responsible
for orders, nor for what follows from an event (``nrunner.berth``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrunner.environment import Key
from nrunner.reboots import Reboots

__all__ = ["Attendance", "event_of"]

_ASIDES = ("notice", "slow")
_EVENTS = ("started", "ended", "not_started", *_ASIDES)
_CONTRADICTION = "its agent contradicts itself about whether it was started"


def event_of(event: str, key: Key, **fields: str) -> dict[str, Any]:
    """Return an event as an agent could tell it."""
    return {"event": event, "task": key[0], "attempt": key[1], **fields}


class Attendance:
    """Who is at a place."""

    def __init__(self, reboots: Reboots) -> None:
        """`reboots` knows which of them wait for one, or go on after one."""
        self.running: dict[Key, bool] = {}
        """Whether the agent said that it started, by attempt."""
        self.cancelled: set[Key] = set()
        self.refused = 0
        """What the agent said of attempts that are not here: forged, late, repeated."""
        self._reboots = reboots

    @property
    def is_wanted(self) -> bool:
        """Whether not all that is here was cancelled."""
        return not self.running or not self.cancelled.issuperset(self.running)

    def forget(self, key: Key) -> None:
        """An attempt is over, or was lost."""
        self.running.pop(key, None)
        self.cancelled.discard(key)
        self._reboots.over(key)

    def checked(self, head: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what is to be believed of an agent's event, None if it is about nothing here."""
        key: Any = head.get("task"), head.get("attempt")
        event = head.get("event")
        if event == "notice":
            return {**head, "task": key[0] if type(key[0]) is int else 0}
        is_started = self.running.get(key) if type(key[0]) is type(key[1]) is int else None
        if is_started and (self._reboots.is_waiting(key) or self._is_again(key, event)):
            return None  # that is known
        if is_started is None or event not in _EVENTS or (event == "started" and is_started):
            self.refused += 1
            return None
        if event == "started":
            self.running[key] = True
        elif event not in _ASIDES:
            return self._last(key, head, is_started=is_started)
        return head

    def _last(self, key: Key, head: Mapping[str, Any], *, is_started: bool) -> Mapping[str, Any]:
        """Return the last event of an attempt, unless it goes on after a reboot."""
        event = head["event"]
        if is_started and self._reboots.take(head):
            return head
        if event == "ended":
            head = self._reboots.last_word(head)
        self.forget(key)
        if is_started is (event == "ended"):
            return head
        if is_started:
            return event_of("ended", key, trouble=_CONTRADICTION)
        return event_of("not_started", key, reason=_CONTRADICTION)

    def _is_again(self, key: Key, event: Any) -> bool:
        """Whether an attempt was started, as it was before a reboot."""
        return event == "started" and self._reboots.started(key)
