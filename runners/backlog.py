"""Orders that wait in an agent until something is free for them.

Those of a series that has a process stand aside until that process is ready for the next.
Not responsible for what is free; that is ``nrunner.runners.supervisor``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from nrunner.runners.attempt import Order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Backlog"]


class Backlog:
    """Orders in the order of their arrival, but for errands, which come first."""

    def __init__(self) -> None:
        self._orders: deque[Order] = deque()
        self._aside: dict[str, deque[Order]] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._orders) + sum(map(len, self._aside.values()))

    def __iter__(self) -> Iterator[Order]:
        """Go through all that wait, as they are now."""
        return iter([*self._orders, *(each for aside in self._aside.values() for each in aside)])

    @property
    def shortest_aside(self) -> float:
        """How many orders stand aside for the series that has fewest."""
        return min(map(len, self._aside.values())) if self._aside else float("inf")

    def add(self, order: Order) -> None:
        """Let an order wait; an errand needs no slot and is next."""
        if order.is_errand:
            self._orders.appendleft(order)
        else:
            self._aside.get(order.series, self._orders).append(order)

    def put_back(self, order: Order) -> None:
        """Let an order wait in front of all others: it was taken too early."""
        self._orders.appendleft(order)

    def remove(self, order: Order) -> None:
        """Take an order out that will not be carried out."""
        self._aside.get(order.series, self._orders).remove(order)

    def first(self) -> Optional[Order]:
        """Return the next order for whom a process has to be started."""
        return self._orders[0] if self._orders else None

    def pop(self) -> Order:
        """Take what `first` returns."""
        return self._orders.popleft()

    def open(self, series: str) -> None:
        """Have the orders of a series stand aside from now on."""
        aside = deque(each for each in self._orders if each.series == series)
        if aside:
            self._orders = deque(each for each in self._orders if each.series != series)
        self._aside[series] = aside

    def pop_next(self, series: str) -> Optional[Order]:
        """Take the next order of a series that stands aside."""
        aside = self._aside[series]
        return aside.popleft() if aside else None

    def close(self, series: str) -> None:
        """Have what is left of a series wait in front of all others."""
        self._orders.extendleft(reversed(self._aside.pop(series)))
