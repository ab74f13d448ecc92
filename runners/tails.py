"""What attempts that run have printed so far, for a controller that does not see their files.

It asks for what follows a position, and is answered once there is something, or the attempt is
over: so it gets as much as it can take, as it comes, and nothing is kept for it. Not responsible
for what is brought home afterwards (``nrunner.runners.outgoing``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nrunner.runners.attempt import Attempt, whole
from nrunner.runners.capture import Capture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["Tails"]

_STREAMS = ("stdout", "stderr")
_LONGEST_PIECE = 1 << 18

_Name = tuple[tuple[int, int], str]
"""An attempt, and one of its streams."""
Answer = Callable[[Mapping[str, "Any"], Mapping[str, "Any"], bytes], None]


class Tails:
    """All that is asked for and has no answer yet."""

    def __init__(
        self, find: Callable[[tuple[int, int]], Optional[Attempt]], answer: Answer
    ) -> None:
        """`find` returns an attempt that runs; `answer` answers a frame, with bytes."""
        self._find = find
        self._answer = answer
        self._waiting: dict[_Name, Mapping[str, Any]] = {}

    def take(self, head: Mapping[str, Any]) -> None:
        """Take a frame ``tail``; raise what comes of a malformed field."""
        key, stream = (whole(head["task"]), whole(head["attempt"])), head["stream"]
        if stream not in _STREAMS:
            raise ValueError(f"expected one of {_STREAMS}")
        name = key, stream
        capture = self._capture(name)
        if capture is None:
            self._answer(head, {"over": True}, b"")
            return
        self._waiting[name] = head
        capture.on_taken = lambda: self._tell(name, capture)
        self._tell(name, capture)

    def end(self, attempt: Attempt) -> None:
        """Answer whoever waits for more of an attempt that is over now."""
        for stream in _STREAMS:
            head = self._waiting.pop((attempt.key, stream), None)
            if head is not None:
                self._answer(head, {"over": True}, b"")
                if attempt.slot is not None:
                    attempt.slot.capture(stream).on_taken = None

    def forget(self) -> None:
        """Nobody waits for answers any more."""
        for name in list(self._waiting):
            capture = self._capture(name)
            if capture is not None:
                capture.on_taken = None
        self._waiting.clear()

    def _tell(self, name: _Name, capture: Capture) -> None:
        head = self._waiting.get(name)
        data = b"" if head is None else capture.read(whole(head["from"]), _LONGEST_PIECE)
        if head is not None and data:
            del self._waiting[name]
            self._answer(head, {}, data)
        if name not in self._waiting:
            capture.on_taken = None

    def _capture(self, name: _Name) -> Optional[Capture]:
        attempt = self._find(name[0])
        if attempt is None or attempt.slot is None:
            return None
        return attempt.slot.capture(name[1])
