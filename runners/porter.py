"""Files that are carried between an agent and a controller: who sees no shared ones needs them.

Takes the frames that are about files, each to whom it is for. Most agents never have one, and do
without the import. Not responsible for what is carried, nor when.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from nrunner.runners.attempt import Attempt, whole
from nrunner.runners.incoming import Incoming
from nrunner.runners.loop import Loop
from nrunner.runners.outgoing import Outgoing
from nrunner.runners.removal import removing
from nrunner.runners.supervisor import Supervisor
from nrunner.runners.tails import Tails
from nrunner.runners.tree import TreeCopy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Porter"]

_DONE = object()


class Porter:
    """All that is on its way."""

    def __init__(
        self, loop: Loop, supervisor: Supervisor, reply: Callable[[Mapping[str, Any], bytes], None]
    ) -> None:
        """`reply` sends a reply, with bytes."""
        self._loop = loop
        self._reply = reply
        self._incoming = Incoming(loop, self._answer)
        self._tree = TreeCopy(loop, self._answer)
        self._outgoing = Outgoing()
        self._tails = Tails(supervisor.attempt, self._answer)

    def put(self, head: Mapping[str, Any], body: bytes) -> None:
        """Take a file, or many; raise RequirementError, or what comes of a malformed field."""
        if "root" in head:
            self._tree.take(head, body)
        else:
            self._incoming.take(head, body)

    def get(self, head: Mapping[str, Any]) -> None:
        """Give files away."""
        fields, body = self._outgoing.take(head)
        self._answer(head, fields, body)

    def tail(self, head: Mapping[str, Any]) -> None:
        """Tell what an attempt has printed."""
        self._tails.take(head)

    def ended(self, attempt: Attempt) -> None:
        """Hear that an attempt is over."""
        self._tails.end(attempt)

    def drop(self, folders: Sequence[str]) -> None:
        """Remove folders whose files the controller has."""
        for folder in folders:
            self._outgoing.forget(folder)
            self._remove_more(removing(folder))

    def forget_requests(self) -> None:
        """Another controller counts its requests anew."""
        self._incoming.close()
        self._outgoing.close()
        self._tails.forget()

    def _remove_more(self, rest: Iterator[None]) -> None:
        if next(rest, _DONE) is not _DONE:
            self._loop.real_after(0.0, lambda: self._remove_more(rest))

    def _answer(
        self, head: Mapping[str, Any], fields: Mapping[str, Any], body: bytes = b""
    ) -> None:
        reply = {"type": "reply", "request": whole(head["request"]), **fields}
        self._reply(reply, body)
