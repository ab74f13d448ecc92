"""Orders for an agent of sh that wait for a slot, here rather than there.

An agent is given what it can begin at once. Not responsible for sending, nor for kinds that need
no process (``nrunner.spawners.shell_link``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from nrunner.errors import RunnerError
from nrunner.runners import registry
from nrunner.runners.attempt import Order, Settings
from nrunner.runners.base import Command, Outcome
from nrunner.spawners.shell_order import place_of, run_line
from nrunner.spawners.shell_story import Key

__all__ = ["ShellQueue"]


class ShellQueue:
    """Which slots are in use, and who waits for one."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.crew = 0
        """How many slots the agent has; none until it has greeted."""
        self.busy: dict[Key, int] = {}
        """The slot of each attempt that runs."""
        self._waiting: deque[Order] = deque()

    def has(self, key: Key) -> bool:
        """Whether an attempt runs or waits."""
        return key in self.busy or any((each.task, each.attempt) == key for each in self._waiting)

    def add(self, order: Order, *, first: bool = False) -> Outcome | None:
        """Have an attempt wait, in front of all others if it is `first`.

        Return how it ended if nothing has to be executed for it; raise RunnerError.
        """
        command = self._command(order, 0)
        if isinstance(command, Outcome):
            return command
        run_line(order, self.settings, command, 0)  # what is wrong with it shows now
        if first:
            self._waiting.appendleft(order)
        else:
            self._waiting.append(order)
        return None

    def withdraw(self, key: Key) -> bool:
        """Take back an attempt that waits; return whether it did."""
        for order in self._waiting:
            if (order.task, order.attempt) == key:
                self._waiting.remove(order)
                return True
        return False

    def due(self) -> Iterator[tuple[Order, bytes]]:
        """Yield attempts for which there are slots, each with the line that has it run."""
        slots = min(self.settings.slots, self.crew)
        while self._waiting and len(self.busy) < slots:
            used = set(self.busy.values())
            slot = next(number for number in range(1, self.crew + 1) if number not in used)
            order = self._waiting.popleft()
            command = self._command(order, slot)
            if isinstance(command, Outcome):
                raise RunnerError("a kind has changed its mind about what is to be executed")
            self.busy[order.task, order.attempt] = slot
            yield order, run_line(order, self.settings, command, slot)

    def _command(self, order: Order, slot: int) -> Command | Outcome:
        place = place_of(order, self.settings, slot)
        return registry.runner(order.runnable.kind).command(order.runnable, place)
