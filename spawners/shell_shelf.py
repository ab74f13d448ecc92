"""What was fetched from an agent of sh and waits here to be taken as from any other agent.

Few and small files go with the event of an attempt's end, all else is asked for piece by piece
(`nrunner.runners.outgoing`). The agent keeps its own until the event is acknowledged: whoever goes
on with the job fetches again. Not responsible for fetching (``nrunner.spawners.shell_fetch``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nrunner.runners.outgoing import Outgoing, enclosed
from nrunner.runners.removal import remove_tree
from nrunner.spawners.shell_story import Key, Told

__all__ = ["Shelf"]

_NO_FOLDERS = "without Python no folders are sent"


class Shelf:
    """The files of one agent."""

    def __init__(self, staged: Callable[[str], str]) -> None:
        """`staged` says where it is here what is in a folder there."""
        self._staged = staged
        self._outgoing = Outgoing()
        self._due: deque[tuple[int, Key]] = deque()
        self._lacking: set[str] = set()
        """Folders of attempts that left folders of their own."""

    def put(self, told: Told, folder: str, most: int) -> dict[str, Any]:
        """Take what was fetched of an attempt that ended to a folder here.

        Return what is added to its event.
        """
        if told.number:
            self._due.append((told.number, told.key))
        if "d" in told.kept:
            self._lacking.add(folder)
            return {"fetch": True}
        return enclosed(folder, most)

    def take(self, head: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return the answer to a frame ``get``; raise OSError, or what comes of a bad field."""
        folder = self._staged(str(head["folder"]))
        answer, body = self._outgoing.take({**head, "folder": folder})
        if folder in self._lacking and "next" not in answer:
            left_out = [*answer.get("left_out", ()), ["output", _NO_FOLDERS]]
            answer = {**answer, "left_out": left_out}
        return answer, body

    def drop(self, folder: str) -> None:
        """Whoever takes files has those of a folder."""
        here = self._staged(folder)
        self._lacking.discard(here)
        self._outgoing.forget(here)
        remove_tree(here)

    def acknowledged(self, number: int) -> Iterator[Key]:
        """Yield the attempts whose files nobody will fetch again."""
        while self._due and self._due[0][0] <= number:
            yield self._due.popleft()[1]
