"""A spawner without processes: environments whose agents follow scripts.

    spawner = FakeSpawner({"good": Script(), "bad": Script(result="fail")})
    spawner = FakeSpawner({"shaky": [Script(trouble=Trouble.DIE), Script()]})

A script is found by the uri of the Runnable or Requirement; of a list, each time the next one
counts, the last of them from then on. Everything happens in memory, so that with
``nrunner.testing.fake_clock`` no real time passes. What an agent does with a script is said in
``nrunner.testing.fake_agent``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nrunner.errors import LinkError, RequirementError, SpawnError
from nrunner.runnable import Requirement
from nrunner.runners.registry import KINDS
from nrunner.runners.spool import Remains
from nrunner.runners.wire import PROTOCOL_VERSION, FrameReader
from nrunner.spawners.base import Handle, Layer, Offer
from nrunner.testing.fake_agent import FakeAgent
from nrunner.testing.script import Script, Trouble

__all__ = ["FakeHandle", "FakeLayeredSpawner", "FakeSpawner", "Script", "Trouble"]

Scripts = Mapping[str, Script | Sequence[Script]]


class FakeSpawner:
    """Provides environments that exist only in memory."""

    name = "fake"
    description = "nothing, as a script has it"

    def __init__(
        self,
        scripts: Scripts | None = None,
        *,
        places: Sequence[str] = ("fake",),
        slots: int = 2,
        kinds: frozenset[str] = KINDS,
        refuse_to_open: int = 0,
        open_takes: float = 0.0,
        never_greet: int = 0,
        destroy_takes: float = 0.0,
        protocol: int = PROTOCOL_VERSION,
        offer: Offer | None = None,
        patience: float = 0.0,
    ) -> None:
        """`offer` is made instead of one for each of `places`.

        With `patience` environments are `Distant`: nobody sees what is written there.

        `refuse_to_open` and `never_greet` say how many environments fail so, the first ones.

        `open_takes` and `destroy_takes` are in seconds; who is cancelled meanwhile did nothing.
        """
        self.handles: list[FakeHandle] = []
        """All environments that were opened, in order."""
        self.opening = 0
        """How many calls of `open` are under way."""
        self.refuse_to_adopt = 0
        """How many environments cannot be found by whoever asks next."""
        self.refuse_to_destroy = 0
        """How many environments leave something that cannot be removed, those opened next."""
        self.is_closed = False
        self._scripts = scripts or {}
        self._used: Counter[str] = Counter()
        usual = tuple(Offer(place, slots, queue=slots) for place in places)
        self._offers = usual if offer is None else (offer,)
        self._kinds = kinds
        self._refuse = refuse_to_open
        self._silent = never_greet
        self._open_takes = open_takes
        self._destroy_takes = destroy_takes
        self._protocol = protocol
        self._patience = patience

    @property
    def alive(self) -> list[FakeHandle]:
        """The environments that have not ended."""
        return [handle for handle in self.handles if not handle.agent.gone.is_set()]

    def offers(self) -> tuple[Offer, ...]:
        """Offer the places."""
        return self._offers

    async def open(self, place: str, base: str = "", folder: str = "") -> FakeHandle:
        """Open an environment, or refuse, as it was made to."""
        self.opening += 1
        try:
            await asyncio.sleep(self._open_takes)
        finally:
            self.opening -= 1
        if self._refuse > 0:
            self._refuse -= 1
            raise SpawnError(f"open an environment at {place}: it is made to refuse")
        is_silent, self._silent = self._silent > 0, self._silent - 1
        token = f"token-{len(self.handles)}"
        agent = FakeAgent(
            self._script_of, token, self._kinds, protocol=self._protocol, is_silent=is_silent
        )
        handle = FakeHandle(place, token, agent, len(self.handles), self._destroy_takes)
        handle.base, handle.folder = base, folder
        handle.leaves_something = self.refuse_to_destroy > 0
        self.refuse_to_destroy -= 1
        self._place_far(handle)
        self.handles.append(handle)
        return handle

    async def adopt(self, place: str, address: Mapping[str, Any]) -> FakeHandle:
        """Return the environment that was opened as number ``number``, or refuse."""
        if self.refuse_to_adopt > 0:
            self.refuse_to_adopt -= 1
            raise SpawnError(f"find an environment at {place}: it is made to refuse")
        number = address.get("number")
        if type(number) is not int or not 0 <= number < len(self.handles):
            raise SpawnError(f"find an environment by {dict(address)}")
        agent = self.handles[number].agent
        handle = FakeHandle(place, self.handles[number].token, agent, number)
        handle.leaves_something = self.handles[number].leaves_something
        self._place_far(handle)
        return handle

    def _place_far(self, handle: FakeHandle) -> None:
        if self._patience:
            handle.folder = "/far"
            handle.patience = self._patience

    async def close(self) -> None:
        """Note that it is over."""
        self.is_closed = True

    def _script_of(self, order: Mapping[str, Any]) -> Script:
        uri = str(order["runnable"].get("uri"))
        found = self._scripts.get(uri, Script())
        if isinstance(found, Script):
            return found
        time = self._used[uri]
        self._used[uri] += 1
        return found[min(time, len(found) - 1)]


class FakeLayeredSpawner(FakeSpawner):
    """Keeps what was prepared, in memory: layers are named ``layer-1``, ``layer-2``, ..."""

    def __init__(self, scripts: Scripts | None = None, **more: Any) -> None:
        """As for `FakeSpawner`; by default each attempt has an environment of its own."""
        more.setdefault("offer", Offer("fake", 2, is_shared=False, shares_files=False))
        super().__init__(scripts, **more)
        self.meets = frozenset[str]()
        self.layers: dict[tuple[str, ...], str] = {}
        """Those that were kept, by the keys of the requirements that hold there."""
        self.unwanted: set[str] = set()
        """Uris of requirements for which nothing can be found."""

    async def open(self, place: str, base: str = "", folder: str = "") -> FakeHandle:
        """Open an environment, unless it is to begin from a layer that is not kept any more."""
        if base and base not in self.layers.values():
            raise SpawnError(f"begin from {base}: there is no such layer")
        return await super().open(place, base, folder)

    async def find(self, place: str, requirements: Sequence[Requirement]) -> Layer:
        """Return the layer that was kept for these, or where to make it."""
        await asyncio.sleep(0)
        for each in requirements:
            if each.uri in self.unwanted:
                raise RequirementError(f"nothing is known of {each.uri} at {place}")
        known = self.layers.get(_keys(requirements))
        return Layer("", tuple(requirements)) if known is None else Layer(known)

    async def keep(self, handle: Handle, requirements: Sequence[Requirement]) -> str:
        """Keep an environment as a layer."""
        await asyncio.sleep(0)
        if handle.name != self._offers[0].place:
            raise SpawnError(f"keep {handle.name}: it is none of ours")
        return self.layers.setdefault(_keys(requirements), f"layer-{len(self.layers) + 1}")


def _keys(requirements: Sequence[Requirement]) -> tuple[str, ...]:
    return tuple(sorted(each.key for each in requirements))


class FakeHandle:
    """An environment in memory."""

    def __init__(
        self, name: str, token: str, agent: FakeAgent, number: int, destroy_takes: float = 0.0
    ) -> None:
        self.name = name
        self.token = token
        self.address: Mapping[str, Any] = {"number": number}
        self.agent = agent
        self.is_destroyed = False
        self.base = ""
        """The layer from which it began."""
        self.folder = ""
        """The folder of its own that it was given, or that it has far away."""
        self.patience: float
        self.leaves_something = False
        """Whether something is left of it whenever it is destroyed."""
        self._destroy_takes = destroy_takes

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect; refuse while the script has the link down."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        if self.agent.gone.is_set() or loop.time() < self.agent.unreachable_until:
            raise LinkError(f"reach the agent at {self.name}")
        protocol = factory()
        protocol.connection_made(_Stream(protocol, self.agent))

    async def wait_gone(self) -> str:
        """Wait until the script, or somebody, ends the environment."""
        await self.agent.gone.wait()
        return self.agent.why

    async def remains(self) -> Remains | None:
        """Return what the agent had still to say."""
        return self.agent.remains()

    async def destroy(self) -> None:
        """End the environment; raise SpawnError if something is to be left of it."""
        await asyncio.sleep(self._destroy_takes)
        self.is_destroyed = True
        self.agent.leave("it was destroyed")
        if self.leaves_something:
            raise SpawnError(f"remove what is left of {self.name}: it is made to stay")


class _Stream(asyncio.Transport):
    """Both ends of a connection: bytes arrive one turn of the loop later, or never."""

    def __init__(self, protocol: asyncio.Protocol, agent: FakeAgent) -> None:
        super().__init__()
        self._protocol = protocol
        self._agent = agent
        self._reader = FrameReader()
        self._is_open = True
        self._loop = asyncio.get_running_loop()

    # The controller's end.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._loop.call_soon(self._arrive, bytes(data))

    def abort(self) -> None:
        self.cut()

    def close(self) -> None:
        self.cut()

    def is_closing(self) -> bool:
        return not self._is_open

    def _arrive(self, data: bytes) -> None:
        if self._is_open:
            self._agent.take(self, [frame.head for frame in self._reader.feed(data)])

    # The agent's end.

    def send(self, data: bytes) -> None:
        """Send bytes to the controller."""
        self._loop.call_soon(self._deliver, data)

    def cut(self) -> None:
        """End the connection; what is on its way is lost."""
        if self._is_open:
            self._is_open = False
            self._agent.lost(self)
            self._loop.call_soon(self._protocol.connection_lost, None)

    def _deliver(self, data: bytes) -> None:
        if self._is_open:
            self._protocol.data_received(data)
