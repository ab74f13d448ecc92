"""Who may start now: slots of the job and of each place (pure).

A place is where tasks can be started, by name; a spawner says how many slots it has. Not
responsible for the order in which tasks ask; that is ``nrunner.machine``.
"""

from __future__ import annotations

from nrunner.errors import UsageError

__all__ = ["Limits"]


class Limits:
    """Counts slots; whoever takes one gives it back."""

    def __init__(self, most: int) -> None:
        """`most` bounds what runs at once in the whole job."""
        if most < 1:
            raise UsageError(f"at least 1 task must be allowed at a time, not {most}")
        self.most = most
        self.taken = 0
        self._places: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def set_place(self, place: str, slots: int) -> None:
        """Say how many tasks a place takes at once."""
        self._places[place] = slots

    def try_take(self, place: str) -> bool:
        """Take a slot of the job and of `place`, or neither."""
        used = self._used.get(place, 0)
        if self.taken >= self.most or used >= self._places.get(place, self.most):
            return False
        self.taken += 1
        self._used[place] = used + 1
        return True

    def take(self, place: str) -> None:
        """Take a slot for what runs at `place` already, whether or not there is room."""
        self.taken += 1
        self._used[place] = self._used.get(place, 0) + 1

    def give_back(self, place: str) -> None:
        """Return what `try_take` took."""
        used = self._used.get(place, 0)
        if self.taken < 1 or used < 1:
            raise AssertionError(f"a slot of {place!r} was given back that nobody took")
        self.taken -= 1
        self._used[place] = used - 1

    def used(self, place: str) -> int:
        """How many slots of `place` are taken."""
        return self._used.get(place, 0)

    def free(self, place: str) -> int:
        """How many tasks could start at `place` now."""
        here = self._places.get(place, self.most) - self._used.get(place, 0)
        return max(0, min(self.most - self.taken, here))
