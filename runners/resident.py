"""A process that stays: runs the tests of a series, one after another, as they are sent to it.

The tests come over a socket as requests, one packet each; ``next`` in a request is the uri of the
test that will follow. After each but the last the process says ``done STATUS`` and waits. When the
agent hangs up before the last, it tears down what was set up; if that fails it says
``trouble WHAT``. The last test ends with the process. Not responsible for how unittest or pytest is
used (``nrunner.runners.unittest_series``, ``nrunner.runners.pytest_series``), nor for becoming a
process (``nrunner.runners.zygote``).
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import _socket
import os

from nrunner.runners.brand import wear
from nrunner.runners.unittest_child import report
from nrunner.runners.unittest_result import flush
from nrunner.runners.zygote_wire import LONGEST_REQUEST, decode_request, encode_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Optional, Protocol

    Request = dict[str, Any]

    class Series(Protocol):
        """The tests of one module, with what is set up for them."""

        def run(self, spec: Mapping[str, Any], follower: str) -> dict[str, Any]:
            """Run one test and return its outcome; `follower` is the uri of the next, or empty."""

        def leave(self) -> str:
            """Tear down what is set up, as nobody comes any more; return what went wrong."""


__all__ = ["reside"]

_LONGEST_TROUBLE = 1000
"""In characters, which take four bytes at most: more does not fit into an answer."""


def reside(first: Request, number: int, show: Callable[[str], None], series: Series) -> int:
    """Run `first` and what comes over the socket `number`; return the exit status of the last.

    `show` makes the mark of an attempt visible to the agent.
    """
    link, request = _Link(number), first
    while True:
        pid, follower = os.getpid(), request.get("next", "")
        status = report(request["spec"], series.run(request["spec"], follower), pid)
        if not follower or not link.say(f"done {status}"):
            link.close()
            return status
        following = link.receive()
        if following is None:
            trouble = series.leave()
            flush()
            if trouble:
                link.say(f"trouble {trouble[:_LONGEST_TROUBLE]}")
            link.close()
            return 0
        request = following
        os.environ.update(request["env"])
        show(request["mark"])
        wear(request["brand"])


class _Link:
    """The agent's socket, which a test may have closed or replaced."""

    def __init__(self, number: int) -> None:
        self._socket = _socket.socket(fileno=number)
        self._number = number
        self._file = os.fstat(number).st_ino

    def say(self, words: str) -> bool:
        """Tell the agent; return whether that was possible."""
        try:
            if os.fstat(self._number).st_ino != self._file:
                return False
            self._socket.send(encode_answer(words))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let go of the socket, lest an interpreter that takes itself apart complains of it."""
        number = self._socket.detach()
        try:
            if os.fstat(number).st_ino == self._file:
                os.close(number)
        except OSError:
            return

    def receive(self) -> Optional[Request]:
        """Wait for the next request; return None if there will be none."""
        try:
            data = self._socket.recv(LONGEST_REQUEST)
        except OSError:
            return None
        return decode_request(data) if data else None
