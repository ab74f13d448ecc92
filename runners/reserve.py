"""Attempts that stand by: a zygote has all it takes to run them as soon as another one has ended.

They hold a slot each beside those whose tests run, which are never more than was asked for. Not
responsible for how a zygote knows its time (``nrunner.runners.standby``), nor for what follows
(``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from nrunner.record import dataclass
from nrunner.runners.attempt import Attempt, Order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional

__all__ = ["Reserve", "Unwanted"]

_Key = tuple[int, int]


@dataclass(frozen=True)
class Unwanted:
    """Why an attempt is not to run any more: as the cause of its refusal, and as a stop."""

    cause: str
    stop: str
    detail: str


class Reserve:
    """Who stands by, in the order in which they came."""

    def __init__(self) -> None:
        self.most = 0
        """How many may stand by at once."""
        self._attempts: dict[_Key, Attempt] = {}
        self._unwanted: dict[_Key, Unwanted] = {}
        self._passed_over: Optional[_Key] = None

    def __len__(self) -> int:
        return len(self._attempts)

    def __iter__(self) -> Iterator[Attempt]:
        """Go through those that stand by now."""
        return iter(list(self._attempts.values()))

    def get(self, key: _Key) -> Optional[Attempt]:
        """Return the attempt that stands by under a key."""
        return self._attempts.get(key)

    def may_take(self, order: Order) -> bool:
        """Whether an order is one for which it is worth the while to look for a place."""
        if len(self._attempts) >= self.most or order.is_errand or order.is_check:
            return False
        return not (order.needs or order.series) and self._passed_over != _key(order)

    def pass_over(self, order: Order) -> None:
        """Note that the next order cannot stand by."""
        self._passed_over = _key(order)

    def add(self, attempt: Attempt) -> None:
        """Have an attempt stand by."""
        self._attempts[attempt.key] = attempt

    def first(self) -> Optional[Attempt]:
        """Return who has stood by longest, and is wanted."""
        return next((self._attempts[key] for key in self._attempts if self._wants(key)), None)

    def discard(self, attempt: Attempt, unwanted: Unwanted) -> bool:
        """Note that an attempt is not to run; return whether that is new."""
        is_new = self._wants(attempt.key)
        self._unwanted.setdefault(attempt.key, unwanted)
        return is_new

    def remove(self, attempt: Attempt) -> Optional[Unwanted]:
        """Note that an attempt does not stand by any more; return why it is not wanted."""
        self._attempts.pop(attempt.key, None)
        return self._unwanted.pop(attempt.key, None)

    def _wants(self, key: _Key) -> bool:
        return key not in self._unwanted


def _key(order: Order) -> _Key:
    return order.task, order.attempt
