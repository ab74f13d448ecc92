"""The time for which an agent has a machine: renewed for as long as its controller is heard of.

A link that was cut says nothing, and whoever carries its bytes here may not notice for hours. So a
controller that is silent for too long counts as lost, which it never is: it asks whether the agent
is there. Not responsible for the lock (`nrunner.runners.lease`), nor for what an orphan does.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from nrunner.runners.lease import Lease
from nrunner.runners.loop import Loop, Timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Tenure"]

_SILENT_MOST = 60.0
_PARTS = 10
_SHORTEST, _LONGEST = 0.1, 15.0
"""Seconds between two renewals: a tenth of the orphan deadline, within these."""


class Tenure:
    """Keeps the note of a lease up to date."""

    def __init__(
        self,
        loop: Loop,
        lease: Lease,
        deadline: Callable[[], float],
        heard: Callable[[], Optional[int]],
        hang_up: Callable[[], None],
    ) -> None:
        """`deadline` says for how long the agent goes on alone.

        `heard` counts what the controller said; it is None while there is none. `hang_up` is
        called when one has been silent for too long.
        """
        self._loop = loop
        self._lease = lease
        self._deadline = deadline
        self._heard = heard
        self._hang_up = hang_up
        self._timer: Optional[Timer] = None
        self._count: Optional[int] = None
        self._last = time.monotonic()
        """When the controller was heard of."""

    def begin(self, epoch: int) -> None:
        """A controller has the agent now; `renew` follows once its settings are known."""
        self._lease.note(epoch=epoch)

    def renew(self) -> None:
        """The controller was heard of, or is lost at this moment: the time begins anew."""
        self._count, self._last = self._heard(), time.monotonic()
        self._lease.note(until=round(time.time() + self._deadline(), 2))
        if self._timer is not None:
            self._timer.cancel()
        pause = min(max(self._deadline() / _PARTS, _SHORTEST), _LONGEST)
        self._timer = self._loop.real_after(pause, self._look)

    def _look(self) -> None:
        count = self._heard()
        if count is None:
            return  # the next one renews it
        if count != self._count:
            self.renew()
        elif time.monotonic() - self._last > _SILENT_MOST:
            self._hang_up()
        else:
            self._timer = self._loop.real_after(_LONGEST, self._look)
