"""Events that the controller has not acknowledged yet, and attempts that are about to start.

Events are numbered from 1 without gaps; replayed after a reconnect from the last acknowledged one.
Bounded by what the controller asked for: each attempt makes a handful of events. All of it is in a
file, too (``nrunner.runners.mirror``), for a controller that comes when the agent was killed: it
learns how attempts ended, and which of its orders were never touched. Not responsible for sending.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable

from nrunner.record import dataclass
from nrunner.runners.mirror import Mirror, read_mirror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    Key = tuple[int, int]
    """Task and attempt."""

__all__ = ["Remains", "Spool", "read_remains", "remains_of"]


class Spool:
    """A queue of numbered, encoded events."""

    def __init__(self, path: str = "") -> None:
        """`path` names the file that outlives the agent (see `keep_in`)."""
        self.last = 0
        """Number of the newest event."""
        self._kept: deque[tuple[int, bytes]] = deque()
        self._taken: dict[Key, bytes] = {}
        self._mirror: Optional[Mirror] = None
        if path:
            self.keep_in(path)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def first(self) -> int:
        """Number of the oldest event that is kept, or of the next one if none is."""
        return self._kept[0][0] if self._kept else self.last + 1

    @property
    def taken(self) -> frozenset[Key]:
        """Who is about to start, and has not yet."""
        return frozenset(self._taken)

    def keep_in(self, path: str) -> None:
        """Have all that is added from now on in a file, too; only the first one counts."""
        if self._mirror is None:
            self._mirror = Mirror(path)

    def next_number(self) -> int:
        """Return the number that the event added next will have."""
        return self.last + 1

    def take(self, task: int, attempt: int) -> None:
        """Note that an attempt is about to start, so that nobody else starts it, too."""
        note = self._taken[task, attempt] = b'{"taken":[%d,%d]}\n' % (task, attempt)
        self._write(note)

    def add(self, frame: bytes, key: Optional[Key] = None) -> None:
        """Keep an encoded event until it is acknowledged.

        `key` names the attempt of which it tells that, or why not, it started.
        """
        self.last += 1
        self._kept.append((self.last, frame))
        if key is not None:
            self._taken.pop(key, None)
        self._write(frame)

    def acknowledge(self, number: int) -> None:
        """Drop all events up to and including `number`."""
        while self._kept and self._kept[0][0] <= number:
            self._kept.popleft()

    def replay(self, after: int) -> list[bytes]:
        """Return the kept events that are newer than `after`, oldest first."""
        return [frame for number, frame in self._kept if number > after]

    def close(self, *, leave: bool = False) -> None:
        """Leave the file behind if it holds what nobody has heard, or if `leave` asks for it."""
        if self._mirror is not None:
            if self._kept or leave:
                self._mirror.close()
            else:
                self._mirror.remove()

    def _write(self, line: bytes) -> None:
        if self._mirror is not None and not self._mirror.write(line) and self._mirror.is_open:
            kept = [frame for _, frame in self._kept]
            self._mirror.restart(b"".join([*self._taken.values(), *kept]))


@dataclass(frozen=True)
class Remains:
    """What an agent that is gone has left: events, in order, and who was about to start."""

    events: tuple[dict[str, Any], ...]
    taken: frozenset[Key]


def read_remains(path: str) -> Optional[Remains]:
    """Return what an agent left in the file of its spool; None if there is no such file."""
    lines = read_mirror(path)
    return None if lines is None else remains_of(lines)


def remains_of(lines: Iterable[bytes]) -> Remains:
    """Return what the lines of a spool tell."""
    events: list[dict[str, Any]] = []
    taken: set[Key] = set()
    for line in lines:
        head = _head_of(line)
        if head is None:
            break  # somebody else has written there: what follows is not believed either
        if "seq" in head:
            events.append(head)
        else:
            taken.add((head["taken"][0], head["taken"][1]))
    return Remains(tuple(events), frozenset(taken))


def _head_of(line: bytes) -> Optional[dict[str, Any]]:
    """Read a line of a spool; None if it is neither an event nor tells of an attempt."""
    try:
        head = json.loads(line)
        numbers = [head["seq"]] if "seq" in head else [*head["taken"]]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    count = 1 if "seq" in head else 2
    return head if len(numbers) == count and all(type(each) is int for each in numbers) else None
