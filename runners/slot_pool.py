"""The slots of an agent: made when they are first needed, used again and again, removed at the end.

Not responsible for how many attempts may run at once.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator

from nrunner.runners.folder import make_folder
from nrunner.runners.loop import Loop
from nrunner.runners.slot import Slot

__all__ = ["SlotPool"]

_DONE = object()


class SlotPool:
    """Hands slots out and takes them back."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._free: list[Slot] = []
        self._slots: list[Slot] = []
        self._rubbish: deque[Iterator[None]] = deque()
        """What is being removed."""

    def take(self, folder: str) -> Slot:
        """Return a slot that is free, or a new one in `folder`; raise OSError."""
        return self._free.pop() if self._free else self._make(folder)

    def give_back(self, slot: Slot, *, renew: bool) -> None:
        """Let others use a slot; `renew` its pipes if somebody may still write to them."""
        if renew:
            slot.renew()
        rest = slot.clean()
        if next(rest, _DONE) is not _DONE:
            if not self._rubbish:
                self._loop.after(0.0, self._remove_some)
            self._rubbish.append(rest)
        self._free.append(slot)

    def remove(self) -> None:
        """Remove all slots, and the folders they are in."""
        self._rubbish.clear()
        for slot in self._slots:
            slot.remove()
        for folder in {os.path.dirname(slot.folder) for slot in self._slots}:
            try:
                # Only once it is empty: whatever else is in there is not ours to remove.
                os.rmdir(folder)
            except OSError:
                pass

    def _remove_some(self) -> None:
        """Remove a little of what attempts left; limits and ends of others come first."""
        if self._rubbish and next(self._rubbish[0], _DONE) is _DONE:
            self._rubbish.popleft()
        if self._rubbish:
            self._loop.after(0.0, self._remove_some)

    def _make(self, folder: str) -> Slot:
        if not folder.startswith("/"):
            raise OSError("nobody has said where attempts may write")
        make_folder(folder)
        number = len(self._slots)
        while True:
            number += 1
            try:
                # One of our own making: all in it is removed when it is used and in the end.
                os.mkdir(f"{folder}/{number}", 0o700)
                break
            except FileExistsError:
                continue
        self._slots.append(Slot(f"{folder}/{number}", self._loop))
        return self._slots[-1]
