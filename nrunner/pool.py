"""Tasks that may run at one of several places, until one of those has room (pure).

A pooled place is opened before a task is bound to it, so that one that cannot be opened costs no
task an attempt; the next task goes to the first place that is open, free and fits. Knows how each
place is and who waits for which. Not responsible for slots (``nrunner.roster``), for the phases of
tasks (``nrunner.machine``), nor for opening.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence

from nrunner.record import dataclass, field

__all__ = ["Choice", "Pool", "Readiness"]


class Readiness(enum.Enum):
    """Whether tasks can be bound to a place."""

    CLOSED = "closed"
    WANTED = "wanted"
    """It is being opened."""
    OPEN = "open"
    BARRED = "barred"
    """It was in trouble, and is left alone for a while."""
    GIVEN_UP = "given up"
    """It is not opened any more in this job."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a task waits for."""

    places: tuple[str, ...]
    """Where it could run, none of which is preferred."""
    prepares: bool = False
    """Whether something has to be made to hold there first."""


@dataclass(slots=True)
class _Place:
    slots: int
    readiness: Readiness = Readiness.CLOSED
    reason: str = ""


@dataclass(slots=True)
class _Line:
    """Those with the same choice, by number, with the ticket that says whose turn it is."""

    waiting: OrderedDict[int, int] = field(default_factory=OrderedDict)


class Pool:
    """The pooled places of a job, and who waits for them."""

    def __init__(self, slots: Mapping[str, int]) -> None:
        """`slots` says how many tasks each place takes at once."""
        self._places = {place: _Place(count) for place, count in slots.items()}
        self._closed = set(slots)
        self._lines: dict[Choice, _Line] = {}
        self._choice_of: dict[int, Choice] = {}
        self._last = 0
        self._first = 0

    def __contains__(self, number: int) -> bool:
        """Whether a task waits here."""
        return number in self._choice_of

    def __len__(self) -> int:
        return len(self._choice_of)

    def has(self, place: str) -> bool:
        """Whether a place is pooled."""
        return place in self._places

    # Who waits.

    def add(self, number: int, choice: Choice, *, first: bool = False) -> None:
        """Let a task wait behind all others, or before them if it was bound to a place already."""
        if first:
            self._first -= 1
        else:
            self._last += 1
        line = self._lines.setdefault(choice, _Line())
        line.waiting[number] = self._first if first else self._last
        line.waiting.move_to_end(number, last=not first)
        self._choice_of[number] = choice

    def remove(self, number: int) -> None:
        """Take out a task that waits no longer."""
        choice = self._choice_of.pop(number)
        line = self._lines[choice]
        del line.waiting[number]
        if not line.waiting:
            del self._lines[choice]

    def take(self, place: str, *, may_prepare: bool) -> int | None:
        """Take out whoever has waited longest of those that fit a place; None if nobody does.

        Without `may_prepare`, only those for whom all is ready there.
        """
        fitting = [
            next(iter(line.waiting.items()))
            for choice, line in self._lines.items()
            if place in choice.places and (may_prepare or not choice.prepares)
        ]
        if not fitting:
            return None
        number = min(fitting, key=lambda each: each[1])[0]
        self.remove(number)
        return number

    def is_awaited(self, place: str) -> bool:
        """Whether anybody waits for whom a place would do."""
        return any(place in choice.places for choice in self._lines)

    # How the places are.

    @property
    def open_places(self) -> Sequence[str]:
        """Those to which tasks can be bound."""
        return [name for name, place in self._places.items() if place.readiness is Readiness.OPEN]

    def readiness(self, place: str) -> Readiness:
        """Return how a place is."""
        return self._places[place].readiness

    def note(self, place: str, readiness: Readiness, reason: str = "") -> None:
        """Note how a place is now; one that was given up stays so."""
        found = self._places[place]
        if found.readiness is not Readiness.GIVEN_UP:
            found.readiness = readiness
            found.reason = reason or found.reason
            (self._closed.add if readiness is Readiness.CLOSED else self._closed.discard)(place)

    def usable(self, places: Collection[str]) -> tuple[str, ...]:
        """Return those of some places that are not given up."""
        return tuple(
            each for each in places if self._places[each].readiness is not Readiness.GIVEN_UP
        )

    def reasons(self, places: Collection[str]) -> str:
        """Say what is wrong with places, each with its name."""
        return "; ".join(f"{each}: {self._places[each].reason}" for each in places)

    def stranded(self) -> list[int]:
        """Return those who have no place left."""
        lines = [line for choice, line in self._lines.items() if not self.usable(choice.places)]
        return [number for line in lines for number in line.waiting]

    def open_more(self, most: int) -> list[str]:
        """Return closed places that are wanted now, noted as wanted.

        As many as could serve those who wait: they do because the places that are open have no
        room. No more than `most` slots in all, unless somebody would have no place.
        """
        found: list[str] = []
        for choice, line in self._lines.items() if self._closed else ():
            for place in self._missing(choice, len(line.waiting)):
                if self._slots(_AT_HAND) >= most and self._slots(_AT_HAND, choice.places):
                    break
                self.note(place, Readiness.WANTED)
                found.append(place)
        return found

    def _missing(self, choice: Choice, count: int) -> Iterator[str]:
        """Yield closed places until those that are being opened have `count` slots."""
        coming = self._slots((Readiness.WANTED,), choice.places)
        for name in choice.places:
            if coming >= count:
                return
            if name in self._closed:
                coming += self._places[name].slots
                yield name

    def _slots(self, how: Collection[Readiness], names: Collection[str] = ()) -> int:
        """Count the slots of places, of all or of some, that are in a certain way."""
        places = (self._places[name] for name in names or self._places)
        return sum(place.slots for place in places if place.readiness in how)


_AT_HAND = (Readiness.OPEN, Readiness.WANTED)
