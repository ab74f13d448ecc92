"""What an environment and we see of each other's files, and what follows from that for both.

`Ground` is where all is seen under the same paths; `BoundGround` where an environment sees a folder
of its own and nothing else. Where nothing is seen at all, it is ``nrunner.outpost``. Not
responsible for when an environment is there (``nrunner.berth``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nrunner.environment import Environment, Key, run_frame
from nrunner.folders import Folders
from nrunner.runnable import Requirement

if TYPE_CHECKING:
    from nrunner.delivery import Delivery, Put
    from nrunner.pace import Pace

__all__ = ["BoundGround", "Ground", "Heard", "Order", "Tell"]

_KEPT = "/var/tmp/nrunner"
"""Where, in an environment with files of its own, is what becomes part of its layer."""
_EARLY = ("started", "notice", "slow")
"""After these more is to come."""

Heard = tuple[Mapping[str, Any] | None, Mapping[str, Any]]
"""An event as it can be believed, None if it is about nothing here; and as it was told."""
Order = Mapping[str, Any]
Tell = Callable[[Sequence[Mapping[str, Any]]], bool]
"""Told events; returns whether they are recorded."""


class Ground:
    """Where all of our files are seen, and we see what is written."""

    lasting = "/var/tmp"
    """A folder there for what may be large: not /tmp, which may be in memory."""

    def __init__(self, settings: Mapping[str, Any], tell: Tell, spool: str = "") -> None:
        """`settings` are those of the job's agents; `spool` is where one keeps its news, if it is.

        `tell` is told what an agent says.
        """
        self.spool = spool
        """The file in which an agent keeps what nobody has heard, if we see it."""
        self._settings = settings
        self._tell = tell

    @property
    def is_holding(self) -> bool:
        """Whether attempts are over whose files are not here yet."""
        return False

    @property
    def pace(self) -> Pace | None:
        """How much is sent there at once, if that matters."""
        return None

    def settings(self) -> dict[str, Any]:
        """Return what the agent is to know."""
        return {**self._settings, **({"spool": self.spool} if self.spool else {})}

    # Attempts.

    def run_nowait(self, environment: Environment, order: Order) -> None:
        """Order an attempt, as soon as what it needs is there; raise ProtocolError."""
        environment.run_nowait((order["task"], order["attempt"]), self.frame(order))

    def frame(self, order: Order) -> bytes:
        """Return an order in words that mean something there; raise ProtocolError."""
        return run_frame(order)

    def expect(self, order: Order) -> None:
        """Note an attempt that runs there already."""

    def resumed(self, orders: Iterable[Order]) -> dict[Key, bytes]:
        """Return the frames of orders that may have arrived, or not; raise ProtocolError."""
        return {(each["task"], each["attempt"]): self.frame(each) for each in orders}

    def withdraw(self, _key: Key) -> bool:
        """Order an attempt no more; return whether it waited for what it needs."""
        return False

    def hurry(self, _key: Key, *, kill: bool) -> bool:
        """Wait no longer for the files of an attempt; return whether that is what is left of it."""
        del kill
        return False

    def follow_nowait(self, _environment: Environment, _key: Key, _stream: str) -> str:
        """Have what an attempt prints in a file here, as it comes; return the file's folder.

        Nothing where it is seen in the folder that its agent tells.
        """
        return ""

    def greeted(
        self, _environment: Environment, _here: frozenset[Key], _running: Iterable[Key]
    ) -> Sequence[Key]:
        """The agent was greeted, and said what it has; return what was not ordered yet."""
        return ()

    def hear(self, _environment: Environment, heard: Sequence[Heard]) -> bool:
        """Take what an agent said; return whether it can be acknowledged now."""
        news = [head for head, _ in heard if head is not None]
        return not news or self._tell(news)

    # Requirements.

    def errand_folder(self, _number: int, target: str) -> str:
        """Return where the output of a requirement is written that belongs to `target`."""
        return target

    def bring_errand(self, there: str, here: str) -> None:
        """Bring what a requirement printed to where it belongs, if that takes no time."""

    async def fetch_errand(self, environment: Environment, there: str, here: str) -> None:
        """Bring what a requirement printed to where it belongs, if that takes its time."""

    async def requirement(self, _environment: Environment, requirement: Requirement) -> Requirement:
        """Return a requirement in words that mean something there, once what it needs is there."""
        return requirement

    def put(self, _environment: Environment) -> Put | None:
        """Return what puts files there; None if it is enough to copy them."""
        return None

    def delivery(self, delivery: Delivery) -> Delivery:
        """Return how a file is brought there."""
        return delivery

    # The end.

    def give_up(self, why: str) -> None:
        """The environment is gone."""


class BoundGround(Ground):
    """Where a folder of the environment's own is seen under the same path, and nothing else."""

    def __init__(
        self, settings: Mapping[str, Any], tell: Tell, folders: Folders, folder: str
    ) -> None:
        super().__init__(settings, tell, f"{folder}/spool")
        self._folders = folders
        self._folder = folder

    def settings(self) -> dict[str, Any]:
        """Return what the agent is to know."""
        return {**super().settings(), "kept_dir": _KEPT}

    def frame(self, order: Order) -> bytes:
        """Return an order whose output goes to the environment's folder."""
        return run_frame(self._folders.redirected(order, self._folder))

    def expect(self, order: Order) -> None:
        """Note whose output will be found there."""
        self._folders.redirected(order, self._folder)

    def hear(self, environment: Environment, heard: Sequence[Heard]) -> bool:
        """Have output where it belongs before its end is told."""
        over = (head for head, _ in heard if head is not None and head["event"] not in _EARLY)
        self._folders.bring_home(over)
        return super().hear(environment, heard)

    def errand_folder(self, number: int, _target: str) -> str:
        """Return a folder in that of the environment."""
        return f"{self._folder}/requirement-{number}"

    def bring_errand(self, there: str, here: str) -> None:
        """Move it."""
        self._folders.bring(there, here)

    def put(self, environment: Environment) -> Put | None:
        """Return what puts files there by frames."""
        return environment.put
