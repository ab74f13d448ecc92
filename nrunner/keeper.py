"""Pooled places: opened when the machine wants one, left alone while in trouble, given up for good.

Tells the machine how each place is, and a spawner that remembers such things what happened there.
Not responsible for which task goes where (``nrunner.machine``), nor for what was lost with an
environment (``nrunner.places``).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from nrunner.berth import Berth
from nrunner.errors import NrunnerError, SpawnError, UnfitError
from nrunner.event import Closed, Event, GivenUp, Opened, Usable
from nrunner.spawners.base import Bar, Guarding, Offer, Spawner

__all__ = ["Keeper", "Listener"]

_PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds that a place in trouble is left alone, time after time, if its spawner does not say."""
_OVER = "nothing more is to run there"


class Listener(Protocol):
    """Who is told how places are."""

    def feed(self, *events: Event) -> None:
        """Let events happen."""
        ...

    def notice(self, text: str) -> None:
        """Tell what people should know."""
        ...


class Keeper:
    """One pooled place."""

    def __init__(
        self,
        offer: Offer,
        spawner: Spawner,
        listener: Listener,
        use: Callable[[Berth], Awaitable[str]],
    ) -> None:
        """`use` opens an environment, stays with it to its end, and returns how it ended."""
        self.place = offer.place
        self.is_given_up = False
        self.reason = ""
        """What was wrong last, if anything ever was."""
        self.sickness = ""
        """Why the environment that is here is to end as soon as nothing runs there."""
        self._give_up_after = offer.give_up_after
        self._guard = spawner if isinstance(spawner, Guarding) else None
        self._listener = listener
        self._use = use
        self._wanted = asyncio.Event()
        self._is_released = False
        self._is_open = False
        """Whether the machine counts on the environment that is here."""
        self._since = math.inf
        """When the trouble began: nothing has ended there as it should since."""
        self._failures = 0
        self._told = ""
        """The reason that was told last."""
        self._openings = 0
        self._opened_at = 0.0
        self._has_served = False

    def facts(self) -> dict[str, Any]:
        """Return how the place is, and why, for reports."""
        state = "given up" if self.is_given_up else "left alone" if self._told else "used"
        found: dict[str, Any] = {"state": state, "opened": self._openings}
        return {**found, "reason": self.reason} if self.reason else found

    def open_nowait(self) -> None:
        """Have an environment opened, once one that is released has ended."""
        self._wanted.set()

    def release_nowait(self, berth: Berth) -> None:
        """Have the environment end, since nothing more is to run there."""
        self._is_released = True
        berth.dismiss_nowait(_OVER)

    def opened(self) -> None:
        """An environment was opened."""
        self._has_served = False
        self._openings += 1
        self._opened_at = asyncio.get_running_loop().time()
        self._is_open = True
        self.sickness = ""
        self._listener.feed(Opened(time.monotonic(), self.place))

    def sicken(self, why: str) -> None:
        """The agent is in trouble of its own: what runs may end, and nothing more is to begin."""
        if not self.sickness:
            self.sickness = why
            self._close(why)

    def closing(self, why: str) -> None:
        """The environment is gone, and what was lost with it is about to be told."""
        self._close(why)

    def _close(self, why: str) -> None:
        """Have nothing more bound to the environment that is here, if anything may be.

        Of one that is released that is known, and one of an earlier controller may be gone
        before anybody counted on it.
        """
        is_open, self._is_open = self._is_open, False
        if is_open and not self._is_released:
            self._listener.feed(Closed(time.monotonic(), self.place, why))

    @property
    def has_served(self) -> bool:
        """Whether it is known already that the environment that is here is of use."""
        return self._has_served

    async def served(self) -> None:
        """An attempt in the environment that is here ended as it should."""
        self._has_served = True
        self._since, self._told = math.inf, ""
        self._failures = 0
        if self._guard is not None:
            await self._guard.served(self.place)

    async def keep(self, berth: Berth) -> None:
        """Have an environment whenever one is wanted, until the place is given up."""
        while not self.is_given_up:
            await self._wanted.wait()
            self._wanted.clear()
            is_here = berth.environment is not None or berth.is_resuming
            bar = None if is_here else await self._barred()
            if bar is None:
                bar = await self._used(berth)
            else:  # who only asks something may ask elsewhere
                left = f"open an environment at {self.place}: it is left alone: {bar.reason}"
                berth.refuse(SpawnError(left))
            if bar is not None:
                await self._leave_alone(bar)
        berth.refuse(SpawnError(f"open an environment at {self.place}: it is given up"))

    async def _used(self, berth: Berth) -> Bar | None:
        """Use the place; return for how long to leave it alone then, if there was trouble."""
        is_final = False
        try:
            why = await self._use(berth)
        except NrunnerError as error:
            self._is_released = False
            why, is_final = f"could not {error}", isinstance(error, UnfitError)
        else:
            was_released, self._is_released = self._is_released, False
            if berth.is_resuming:
                self._wanted.set()  # it rebooted since a test asked for that
                return None
            if was_released:
                return None
            why = self.sickness or why
            if asyncio.get_running_loop().time() - self._opened_at > self._give_up_after:
                self._since, self._failures = math.inf, 0
            if self._guard is not None:
                await self._guard.lost(self.place, why)
        known = await self._barred()
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        if known is not None:
            pause, is_final = known.seconds, is_final or known.is_final
        return Bar(pause, why, is_final)

    async def _barred(self) -> Bar | None:
        return None if self._guard is None else await self._guard.bar(self.place)

    async def _leave_alone(self, bar: Bar) -> None:
        now = asyncio.get_running_loop().time()
        self._since = min(self._since, now)
        self.reason = bar.reason
        if bar.is_final or now + bar.seconds - self._since > self._give_up_after:
            self.is_given_up = True
            self._listener.notice(f"{self.place} is not used any more in this job: {bar.reason}")
            self._listener.feed(GivenUp(time.monotonic(), self.place, bar.reason))
            return
        if bar.reason != self._told:
            self._told = bar.reason
            pause = f"{self.place} is left alone for {bar.seconds:.0f} s"
            self._listener.notice(f"{pause}: {bar.reason}")
        self._listener.feed(Closed(time.monotonic(), self.place, bar.reason))
        await asyncio.sleep(bar.seconds)
        self._listener.feed(Usable(time.monotonic(), self.place))
