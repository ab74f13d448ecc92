"""The contract of a spawner: what provides environments of one sort.

A spawner says what it can offer, opens environments and destroys them. It gets an agent there
and a byte stream to it, nothing more: all that is hard is done by the agent, and the
conversation with it by ``nrunner.environment``. Not responsible for tasks.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from nrunner.record import dataclass, field

if TYPE_CHECKING:
    # A spawner is made before the event loop is needed, and loading that takes long.
    import asyncio

    from nrunner.runnable import Requirement
    from nrunner.runners.spool import Remains

__all__ = [
    "Bar",
    "Distant",
    "Eager",
    "Guarding",
    "Handle",
    "Keeping",
    "Kept",
    "Layer",
    "Layered",
    "Offer",
    "Reaping",
    "Restarting",
    "Sharing",
    "Spawner",
    "SpawnerContext",
]


class Sharing(enum.Enum):
    """Which attempts at tasks may have an environment together."""

    NOBODY = "each has its own"
    SUITE = "those of a suite have one in turn"
    LAYER = "those that begin from the same layer have one at once"


@dataclass(frozen=True, slots=True)
class Offer:
    """A place where tasks can run, before anything is opened there."""

    place: str
    """Its name, unique in the job."""
    slots: int
    """How many tasks run there at once."""
    queue: int = 0
    """How many more its agent takes in advance, so that no slot waits for us."""
    is_shared: bool = True
    """Whether all tasks share one environment there, or each attempt has its own."""
    sharing: Sharing = Sharing.NOBODY
    """Who shares an environment, if not all tasks share one."""
    ahead: int = 0
    """How many environments are opened before there is an attempt for them."""
    is_pooled: bool = False
    """Whether other places of the job may be as good for a task.

    Then an environment is opened here before anything is bound to it.
    """
    give_up_after: float = 60.0
    """Seconds of nothing but trouble after which a job does without a pooled place."""
    shares_files: bool = True
    """Whether the agent sees the job's folder and the user's files under the same paths.

    If not, each environment has a folder of its own for what it writes.
    """
    tags: frozenset[str] = frozenset()

    @property
    def isolates(self) -> bool:
        """Whether no two attempts are in one environment at once."""
        return not self.is_shared and self.sharing is not Sharing.LAYER


@dataclass(frozen=True, slots=True)
class SpawnerContext:
    """What a spawner may know of the job."""

    job_id: str
    runtime_folder: Path
    """Short path, mode 0700, for sockets."""
    cache_folder: Path
    max_parallel: int
    config: Mapping[str, Any] = field(default_factory=dict)
    base_dir: str = ""
    """The folder that references are relative to."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What an environment can begin from, and what has still to be made there."""

    base: str
    """For `Spawner.open`; empty for what is usual at the place."""
    missing: tuple[Requirement, ...] = ()
    """Requirements that hold only once an agent has fulfilled them in an environment on `base`."""
    workshop: str = ""
    """What to open that environment with, if it may do more than others: install things, say."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a spawner keeps for later jobs: a layer that was prepared once."""

    name: str
    size: int
    """In bytes, without what it is based on."""
    used: float
    """When it was last used, by the clock on the wall."""
    holds: tuple[str, ...] = ()
    """What was made to hold in it, fit to be shown."""
    in_use: bool = False


class Handle(Protocol):
    """One environment: how its agent is reached and how it is ended."""

    name: str
    token: str
    """The secret that the agent asks for."""
    address: Mapping[str, Any]
    """What `Spawner.adopt` needs to find it again: plain data for the journal, no secrets."""

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect a stream protocol to the agent; raise LinkError. Called again to reconnect."""
        ...

    async def wait_gone(self) -> str:
        """Wait until the environment has ended; return how, in words."""
        ...

    async def remains(self) -> Remains | None:
        """Return what its agent, which is gone, had still to say; None if that is not known."""
        ...

    async def destroy(self) -> None:
        """End the environment and everything in it, by force, in bounded time.

        Raise SpawnError if something of it is left: people are told, and nothing else comes of it.
        """
        ...


@runtime_checkable
class Distant(Protocol):
    """What a handle offers beside, if its environment sees none of our files.

    Then everything of the job there is below one folder, what tests need and what they leave is
    carried by the stream, and the stream may break: that is no end.
    """

    folder: str
    """Absolute path there, of a folder for this environment alone, which `destroy` removes."""
    patience: float
    """For how many seconds its agent may be out of reach before it counts as gone."""


@runtime_checkable
class Restarting(Protocol):
    """What a handle offers beside, if tests may have the machine of its environment rebooted."""

    has_restarted: bool
    """Whether it is known that the machine did: then the environment is gone."""

    async def restart(self, command: str) -> None:
        """Have the machine reboot by a command, or as is usual there if that is empty.

        It may still be going down when this returns, or not have begun to. Raise SpawnError.
        """
        ...


class Spawner(Protocol):
    """Provides environments of one sort."""

    name: str
    description: str

    def offers(self) -> tuple[Offer, ...]:
        """Say where tasks can run."""
        ...

    async def open(self, place: str, base: str = "", folder: str = "") -> Handle:
        """Open an environment at a place; raise SpawnError. May be cancelled at any await.

        It begins from `base`, a layer, where the spawner has those. `folder`, where one is given,
        is all that may be written there of what is kept: it is seen inside under the same path.
        """
        ...

    async def adopt(self, place: str, address: Mapping[str, Any]) -> Handle:
        """Return the handle on an environment that an earlier controller opened.

        It may be gone since: its `wait_gone` then returns at once, and `remains` tells what its
        agent had to say. Nothing is touched that is not certainly the one meant. Raise SpawnError
        for an address that is none.
        """
        ...

    async def close(self) -> None:
        """Release what the spawner itself holds."""
        ...


@runtime_checkable
class Layered(Protocol):
    """What a spawner offers beside, if what was prepared in an environment can be kept.

    Then the requirements of a task are fulfilled together, in an environment opened for that,
    which is kept as the layer that the environments of tasks begin from.
    """

    meets: frozenset[str]
    """Kinds of requirements that no agent is asked about: `find` meets them."""

    async def find(self, place: str, requirements: Sequence[Requirement]) -> Layer:
        """Return what to begin from for these; raise RequirementError or SpawnError."""
        ...

    async def keep(self, handle: Handle, requirements: Sequence[Requirement]) -> str:
        """Keep what is in an environment, where they hold now, as a layer; raise SpawnError."""
        ...


@dataclass(frozen=True, slots=True)
class Bar:
    """A place is not to be used now."""

    seconds: float
    """For how long."""
    reason: str
    is_final: bool = False
    """Whether it is not to be used any more in this job."""


@runtime_checkable
class Guarding(Protocol):
    """What a spawner offers beside, if it remembers, from job to job, how its pooled places are.

    What follows from an environment that could not be opened it knows by itself.
    """

    async def bar(self, place: str) -> Bar | None:
        """Return why a place is not to be used now, None if it may be."""
        ...

    async def lost(self, place: str, why: str) -> None:
        """Note that an environment ended though nobody wanted it to."""
        ...

    async def served(self, place: str) -> None:
        """Note that an attempt at a place ended as it should."""
        ...


@runtime_checkable
class Eager(Protocol):
    """What a spawner offers beside, if it can begin before the controller is loaded."""

    def begin(self) -> None:
        """Begin to open an environment without waiting for it; raise SpawnError."""
        ...

    def abandon(self) -> None:
        """Undo `begin` by force: `open` was not and will not be called."""
        ...


@runtime_checkable
class Reaping(Protocol):
    """What a spawner offers beside, if what a killed job left does not go away by itself."""

    async def reap(self, *, with_running: bool) -> list[str]:
        """Remove what nobody will come for; return it, in words. Raise SpawnError.

        What runs may be gone on with: it counts only if it is asked for.
        """
        ...


@runtime_checkable
class Keeping(Protocol):
    """What a spawner offers beside, if it keeps things for later jobs.

    It keeps to the limits on them by itself, whenever it is closed.
    """

    def kept(self) -> list[Kept]:
        """Return what is kept, what was used least recently first; raise CacheError.

        Nothing is opened or started for that.
        """
        ...

    async def discard(self, name: str) -> bool:
        """Remove something; return whether it is gone: what is in use stays. Raise SpawnError."""
        ...
