"""The events of a job that readers may still ask for.

Keeps all of the latest ones, and the terminal ones for as long as the job is: so a reader that
was away misses progress, but never an end. Not responsible for what an event says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from nrunner.status.view import ApiEvent

__all__ = ["History"]


class History:
    """Appends events, gives them back by id, and wakes those who wait for more."""

    def __init__(self, latest: int = 10_000) -> None:
        self._latest: deque[ApiEvent] = deque()
        self._most = latest
        self._ends: list[ApiEvent] = []
        self._newest = 0
        self._wakers: dict[object, Callable[[], None]] = {}

    @property
    def newest(self) -> int:
        """The id of the newest event; 0 if there is none."""
        return self._newest

    def append(self, kind: str, data: Mapping[str, Any], *, terminal: bool = False) -> ApiEvent:
        """Add an event (JSON types only) and wake the readers."""
        self._newest += 1
        event = ApiEvent(self._newest, kind, data, terminal)
        self._latest.append(event)
        if len(self._latest) > self._most:
            oldest = self._latest.popleft()
            if oldest.terminal:
                self._ends.append(oldest)
        for wake in tuple(self._wakers.values()):
            wake()
        return event

    def after(self, event_id: int, limit: int) -> list[ApiEvent] | None:
        """Return at most `limit` events that followed; None if there never was such an id."""
        if not 0 <= event_id <= self._newest:
            return None
        start = bisect_right(self._ends, event_id, key=lambda event: event.id)
        found = self._ends[start : start + limit]
        first = self._newest - len(self._latest) + 1
        skip = max(0, event_id + 1 - first)
        return found + list(islice(self._latest, skip, skip + limit - len(found)))

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` at each new event, until the function returned is called."""
        key = object()
        self._wakers[key] = wake

        def unsubscribe() -> None:
            self._wakers.pop(key, None)

        return unsubscribe
