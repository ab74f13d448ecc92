"""Reboots that attempts at one place ask for: they are seen to, and the attempts go on after them.

An attempt that asked is not over: it is ordered again, with its count and mark, once there is an
environment after the reboot. What it printed until then is set aside in a folder of its own. Not
responsible for orders, nor for what is believed of an agent (``nrunner.berth``), nor for how a
machine is rebooted (`Restarting` in ``nrunner.spawners.base``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.errors import SpawnError
from nrunner.record import dataclass
from nrunner.spawners.base import Distant, Handle, Restarting

__all__ = ["MOST", "Reboots", "Wish"]

MOST = 100
"""How often one attempt may have its machine rebooted: it may ask for ever."""
_WITHIN = 600.0
"""Seconds that a machine may take to go down and come back, unless its handle says so."""

Key = tuple[int, int]
Tell = Callable[[Sequence[Mapping[str, Any]]], bool]


@dataclass(frozen=True)
class Wish:
    """What an attempt has asked for."""

    key: Key
    mark: str
    command: str
    """What is to be executed to reboot; empty for what is usual there."""
    count: int
    """How often it did before."""

    @property
    def text(self) -> str:
        """What people are told."""
        marked = f" with mark {self.mark!r}" if self.mark else ""
        return f"asked for a reboot{marked}: it is run again after that (reboot {self.count + 1})"


class Reboots:
    """Which attempts at a place may ask, which wait for a reboot, and which go on after one."""

    def __init__(self, tell: Tell, fail: Callable[[Key, str], None]) -> None:
        """`tell` is told events; `fail` ends an attempt that cannot go on, and why."""
        self._tell = tell
        self._fail = fail
        self._orders: dict[Key, Mapping[str, Any]] = {}
        self._waiting: dict[Key, Wish] = {}
        self._resumed: set[Key] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._is_rebooting = False

    # What is known of attempts.

    def ordered(self, order: Mapping[str, Any]) -> None:
        """Note an attempt that may ask."""
        self._orders[order["task"], order["attempt"]] = order

    def over(self, key: Key) -> None:
        """Note that an attempt is over."""
        self._orders.pop(key, None)
        if not self._waiting and not self._resumed:
            return
        self._resumed.discard(key)
        if self._waiting.pop(key, None) is not None and not self._waiting:
            self._is_rebooting = False  # if it is, the next one hears of that, too

    def is_waiting(self, key: Key) -> bool:
        """Whether an attempt waits for a reboot."""
        return key in self._waiting

    def is_resumed(self, key: Key) -> bool:
        """Whether an attempt is to be started again, which its agent did not say yet."""
        return key in self._resumed

    def started(self, key: Key) -> bool:
        """Take note that an attempt was started; return whether that is so again."""
        is_again = key in self._resumed
        self._resumed.discard(key)
        return is_again

    # Events of attempts that run.

    def take(self, head: Mapping[str, Any]) -> bool:
        """Have an attempt wait that ended with a wish; return whether it does."""
        if "reboot" not in head:
            return False
        wish = self.wish_of(head)
        if wish is not None:
            self._waiting[wish.key] = wish
        return wish is not None

    def last_word(self, head: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the end of an attempt that is over, with what is to be said of its reboots."""
        order = self._orders.get((head["task"], head["attempt"]), {})
        if "reboot" not in head and "reboot" not in order:
            return head
        if "reboot" in head:
            reason = f"it asked for a reboot more than {MOST} times"
            head = {**head, "result": "error", "fail_reason": reason}
        aside = [_aside(count) for count in range(_count_of(order))]
        kept = [each for each in aside if Path(order["log_dir"], each).is_dir()]
        return {**head, "outputs": [*head.get("outputs", ()), *kept]} if kept else head

    def wish_of(self, head: Mapping[str, Any]) -> Wish | None:
        """Return what an attempt asks for that has ended so, None if it is over.

        One that asks for more than there can be is over.
        """
        found, key = head.get("reboot"), (head.get("task"), head.get("attempt"))
        if head.get("event") != "ended" or not isinstance(found, Mapping) or "stop" in head:
            return None
        mark, command, count = (found.get(name) for name in ("mark", "command", "count"))
        if not isinstance(mark, str) or not isinstance(command, str) or type(count) is not int:
            return None
        if not 0 <= count < MOST or not all(type(each) is int for each in key):
            return None
        known = (int(head["task"]), int(head["attempt"]))
        return Wish(known, mark, command, count) if known in self._orders else None

    def tell(self, heads: Sequence[Mapping[str, Any]], handle: Handle | None) -> bool:
        """Tell what happened; return whether the agent may forget it.

        It keeps the wishes, so that they are known after the reboot, whoever is the controller
        then. `handle` is that of the environment, None if that is gone.
        """
        if not self._waiting:
            return self._tell(heads)
        wishes = [wish for head in heads if (wish := self._told_wish(head)) is not None]
        rest = [head for head in heads if self._told_wish(head) is None]
        if not wishes:
            return self._tell(rest)
        notices = [_notice(wish) for wish in wishes]
        self._tell([*rest, *notices])
        for wish in wishes:
            _set_aside(self._orders[wish.key]["log_dir"], wish.count)
            if handle is not None:
                work = self._reboot(handle, wish)
                task = asyncio.get_running_loop().create_task(work, name="reboot for an attempt")
                self._work.add(task)
                task.add_done_callback(self._work.discard)
        return False

    def _told_wish(self, head: Mapping[str, Any]) -> Wish | None:
        if head["event"] != "ended":
            return None
        return self._waiting.get((head["task"], head["attempt"]))

    # Rebooting.

    async def _reboot(self, handle: Handle, wish: Wish) -> None:
        """Have the machine rebooted, unless another attempt has seen to that already."""
        if wish.key not in self._waiting:
            return  # it was cancelled at once
        within = handle.patience if isinstance(handle, Distant) else _WITHIN
        trouble = ""
        try:
            if isinstance(handle, Restarting) and not self._is_rebooting:
                self._is_rebooting = True
                await handle.restart(wish.command)
            async with asyncio.timeout(within):
                await handle.wait_gone()
        except TimeoutError:
            trouble = f"it asked for a reboot, and there was none within {within:g} s"
        except SpawnError as error:
            trouble = f"it asked for a reboot: could not {error}"
        if trouble:
            self._is_rebooting = False
        if trouble and wish.key in self._waiting:
            self._fail(wish.key, trouble)

    def resume(self, handle: Handle) -> dict[Key, Mapping[str, Any]]:
        """Return the orders of those who waited, now that an environment is gone.

        None if it is gone for another reason: then they are lost with it.
        """
        self._is_rebooting = False
        if not isinstance(handle, Restarting) or not handle.has_restarted:
            return {}
        waiting, self._waiting = self._waiting, {}
        for key, wish in waiting.items():
            past = {"count": wish.count + 1, "mark": wish.mark}
            self._orders[key] = {**self._orders[key], "reboot": past}
            self._resumed.add(key)
        return {key: self._orders[key] for key in waiting}

    def stop(self) -> None:
        """Reboot nothing any more."""
        for task in self._work:
            task.cancel()


def _notice(wish: Wish) -> Mapping[str, Any]:
    task, attempt = wish.key
    return {"event": "notice", "task": task, "attempt": attempt, "text": wish.text}


def _count_of(order: Mapping[str, Any]) -> int:
    return int(order["reboot"]["count"]) if order.get("reboot") else 0


def _aside(count: int) -> str:
    """Return the name of the folder for what an attempt left before a reboot."""
    return f"boot-{count}"


def _set_aside(log_dir: str, count: int) -> None:
    """Keep what there is so far from being written over; it stays where it is if that fails."""
    folder = Path(log_dir)
    with contextlib.suppress(OSError):
        found = [each for each in folder.iterdir() if not each.name.startswith("boot-")]
        if found:
            (folder / _aside(count)).mkdir(0o700)
        for each in found:
            each.rename(folder / _aside(count) / each.name)
