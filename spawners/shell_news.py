"""What an agent of sh has told, on its way to the controller: in order, and with its files.

Where files are not shared, those of an attempt are fetched before its end is told, and what comes
after waits. Not responsible for what an event says (``nrunner.spawners.shell_story``), nor for
fetching (``nrunner.spawners.shell_fetch``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from nrunner.spawners.shell_fetch import Fetcher
from nrunner.spawners.shell_queue import ShellQueue
from nrunner.spawners.shell_shelf import Shelf
from nrunner.spawners.shell_story import Story, Told

__all__ = ["ShellNews"]


class ShellNews:
    """The news of one connection."""

    def __init__(
        self,
        queue: ShellQueue,
        story: Story,
        fetcher: Fetcher,
        shelf: Shelf | None,
        report: Callable[[Told, dict[str, Any]], None],
        *,
        shares_files: bool,
    ) -> None:
        """`report` is called with each event, in order, and its fields.

        `queue` knows how much of its files goes with an event.
        """
        self._queue = queue
        self._story = story
        self._fetcher = fetcher
        self._shelf = shelf
        self._report = report
        self._shares_files = shares_files
        self._told: deque[Told] = deque()
        self._teller: asyncio.Task[None] | None = None
        self._is_over = False

    def add(self, told: Told) -> None:
        """Take an event; it is told by `tell`."""
        self._told.append(told)

    def stop(self) -> None:
        """Tell nothing any more."""
        self._is_over = True
        if self._teller is not None:
            self._teller.cancel()

    def tell(self) -> None:
        """Tell what can be told now; the rest follows by itself."""
        while self._told and self._teller is None and not self._is_over:
            if self._takes_long(self._told[0]):
                self._teller = asyncio.get_running_loop().create_task(self._tell_slowly())
                return
            told = self._told.popleft()
            self._report(told, self._story.fields(told))

    def _takes_long(self, told: Told) -> bool:
        return bool(told.kept.strip("-")) and not self._shares_files

    async def _tell_slowly(self) -> None:
        told = self._told[0]
        order = self._story.orders.get(told.key)
        trouble = ""
        if order is not None:
            trouble = await self._fetcher.fetch(told.key, told.kept, order.log_dir)
        self._told.popleft()
        fields = self._story.fields(told)
        if trouble:
            fields["trouble"] = trouble
        if self._shelf is None or order is None:
            self._fetcher.drop(told.key)
        else:
            fields.update(self._shelf.put(told, order.log_dir, self._queue.settings.enclose))
        self._report(told, fields)
        self._teller = None
        self.tell()
