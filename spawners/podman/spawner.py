"""The podman spawner: an environment is a container, and nothing of it is left behind.

Not responsible for making a container (``opening``) nor for one that is there (``handle``), for the
podman service (``service``, ``client``), nor for images (``images``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nrunner.errors import PluginError, SpawnError
from nrunner.offload import offload
from nrunner.record import replace
from nrunner.runnable import Requirement
from nrunner.runners.procfs import boot_id
from nrunner.spawners.agentfile import agent_file
from nrunner.spawners.base import Handle, Kept, Layer, Offer, Sharing, SpawnerContext
from nrunner.spawners.podman.agent import AgentSort
from nrunner.spawners.podman.client import Client
from nrunner.spawners.podman.container import Identity, Plan, container_name
from nrunner.spawners.podman.handle import ContainerHandle, Found
from nrunner.spawners.podman.host import PodmanHost, own_ulimits
from nrunner.spawners.podman.images import IMAGE_KIND, Images
from nrunner.spawners.podman.layers import Layers
from nrunner.spawners.podman.life import Life
from nrunner.spawners.podman.opening import NoProgram, Opening, make_agent_folder
from nrunner.spawners.podman.reap import own_controller, reap
from nrunner.spawners.podman.service import Service
from nrunner.spawners.podman.settings import Limits, Settings
from nrunner.spawners.podman.sight import is_seen
from nrunner.spawners.shell_agent import agent_script

__all__ = ["PodmanSpawner", "make_spawner"]

_AHEAD = 32
"""How many attempts a container that a whole job shares has in stock."""
_PLACE = "podman"
_CLOSE_WITHIN = 20.0
_WORKSHOP = "workshop:"
"""Before the image of a container in which requirements are fulfilled."""


class PodmanSpawner:
    """Makes a container for each environment."""

    name = "podman"
    description = "containers on this machine"
    meets = frozenset((IMAGE_KIND,))

    def __init__(self, context: SpawnerContext, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self._service = Service(
            context.runtime_folder, settings.socket, settings.runtime, os.environ
        )
        self._client = Client(self._service)
        self._images = Images(self._client, settings.pull, context.base_dir)
        self._layers = Layers(self._client, context.cache_folder / "layers" / self.name)
        self._identity = Identity(context.job_id, boot_id(), own_controller())
        self._opened = 0
        self._chores: set[asyncio.Task[Any]] = set()
        self._adopted: set[str] = set()
        self._host: asyncio.Task[PodmanHost] | None = None
        self._without_python: set[str] = set()
        """Images whose containers get the agent of sh."""
        self._has_opened = False
        self._shares_users = False
        """Whether containers with users of their own were in vain."""

    def offers(self) -> tuple[Offer, ...]:
        """Offer containers, as many at once as the job may run tasks."""
        slots = self._context.max_parallel
        offer = Offer(_PLACE, slots, is_shared=False, shares_files=False)
        if self._settings.reuse == "task":
            return (replace(offer, ahead=slots),)
        if self._settings.reuse == "suite":
            return (replace(offer, sharing=Sharing.SUITE),)
        return (replace(offer, sharing=Sharing.LAYER, queue=slots + _AHEAD),)

    def begin(self) -> None:
        """Start the podman service, where none listens; raise SpawnError."""
        self._service.ensure()

    def abandon(self) -> None:
        """End the podman service that nobody asked anything."""
        self._service.close()

    async def open(self, place: str, base: str = "", folder: str = "") -> Handle:
        """Make a container and start its agent; raise SpawnError."""
        if not self._opened:
            self._add_chore(self._reap_others())
        self._opened += 1
        opening = Opening(self._client, place)
        making = asyncio.ensure_future(self._open(opening, self._opened, base, folder))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            # A call that is under way cannot be taken back: what comes of it is removed.
            opening.give_up()
            self._add_chore(_discard(making))
            raise

    async def adopt(self, place: str, address: Mapping[str, Any]) -> Handle:
        """Return the handle on a container of an earlier controller; raise SpawnError."""
        known = Found.at(address)
        container = known.container
        found = await self._client.inspect(container)
        if found is not None and not self._is_ours(container, found):
            raise SpawnError(f"adopt container {container[:12]}: it is not one of this job")
        state = found["State"] if found is not None else {}
        running = state.get("Running") and address.get("boot_id") == boot_id()
        life = Life.of(container, int(state["Pid"])) if running else None
        self._adopted.add(container)
        return ContainerHandle(place, self._client, known, life, limits=self._settings.limits)

    async def close(self) -> None:
        """Wait for what is being cleared away, and end our own podman service."""
        if self._opened or self._adopted:
            self._add_chore(self._leave())
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                while self._chores:
                    await asyncio.wait(self._chores)
        except TimeoutError:
            pass
        finally:
            for chore in self._chores:
                chore.cancel()
            self._layers.release()
            self._client.close()
            await offload(self._service.close)

    async def reap(self, *, with_running: bool) -> list[str]:
        """Remove the containers of jobs whose controller is dead; return them in words."""
        found = await reap(self._client, with_running=with_running)
        return [f"container {each.name} of job {each.job}" for each in found]

    # Layers.

    async def find(self, place: str, requirements: Sequence[Requirement]) -> Layer:
        """Return the image to begin from, and what does not hold in it yet.

        Raise RequirementError if an image that is required cannot be had, or SpawnError.
        """
        del place
        images = [each for each in requirements if each.kind == IMAGE_KIND]
        others = self._for_agents(requirements)
        if len({each.key for each in images}) > 1:
            raise SpawnError(f"begin from two images: there is more than one {IMAGE_KIND}")
        base = (
            await self._images.id_for(images[0])
            if images
            else await self._images.id_of(self._settings.image)
        )
        if not others:
            return Layer(base)
        layer = await self._layers.find(base, others)
        if layer:
            return Layer(layer)
        return Layer(base, others, _WORKSHOP + base)

    async def keep(self, handle: Handle, requirements: Sequence[Requirement]) -> str:
        """Make an image of a container in which requirements were fulfilled; raise SpawnError."""
        known = Found.at(handle.address)
        others = self._for_agents(requirements)
        return await self._layers.keep(known.container, known.image, others)

    def kept(self) -> list[Kept]:
        """Return the layers that are noted, without podman; raise CacheError."""
        return self._layers.kept()

    async def discard(self, name: str) -> bool:
        """Remove a layer; return whether it is gone. Raise SpawnError."""
        return await self._layers.discard(name)

    def _for_agents(self, requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
        base_dir, mounts = self._context.base_dir, self._settings.mounts
        return tuple(
            each
            for each in requirements
            if each.kind != IMAGE_KIND and not is_seen(each, base_dir, mounts)
        )

    # Making one.

    async def _open(self, opening: Opening, number: int, base: str, folder: str) -> ContainerHandle:
        """Make a container, with less where there cannot be all of what it should have."""
        is_first, shares_users = not self._has_opened, self._shares_users
        while True:
            plan = await self._plan(number, base, folder, shares_users=shares_users)
            try:
                handle = await opening.open(plan)
            except NoProgram:
                if plan.agent is AgentSort.SHELL:
                    raise
                self._without_python.add(plan.image)
            except SpawnError:
                may_share = is_first and plan.has_own_users and self._settings.userns == "auto"
                if not may_share or not opening.is_wanted:
                    raise
                # Not every file system can be shown to other users than its own.
                shares_users = True
            else:
                self._has_opened = True
                self._shares_users = self._shares_users or shares_users
                return handle

    async def _plan(self, number: int, base: str, folder: str, *, shares_users: bool) -> Plan:
        """Decide about a container, and make its agent's folder."""
        settings, context = self._settings, self._context
        # Podman would keep what is made there with the numbers that users have outside.
        prepares = base.startswith(_WORKSHOP)
        base = base.removeprefix(_WORKSHOP)
        host = await self._learn_host()
        image = base or await self._images.id_of(settings.image)
        agent = AgentSort.SHELL if image in self._without_python else AgentSort.PYTHON
        archive = self._archive(agent)
        own = await offload(make_agent_folder, context.runtime_folder, number)
        return Plan(
            container_name(context.job_id, number, self._identity.controller),
            image,
            agent,
            archive,
            own,
            self._identity,
            settings.prepare_network if prepares else settings.network,
            # What tests may use is no measure for what installing takes.
            Limits(cpus=settings.limits.cpus) if prepares else settings.limits,
            writable=(folder,) if folder else (),
            readable=(context.base_dir, *settings.mounts),
            slots=context.max_parallel,
            user=host.agent_user(),
            has_own_users=not prepares
            and not shares_users
            and host.gives_own_users(settings.userns),
            may_administer=prepares,
            ulimits=own_ulimits(),
        )

    def _archive(self, agent: AgentSort) -> Path:
        if agent is AgentSort.SHELL:
            return agent_script()
        return agent_file(self._context.cache_folder, self._context.runtime_folder)

    async def _learn_host(self) -> PodmanHost:
        task = self._host
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._host = asyncio.ensure_future(self._ask_host())
        return await asyncio.shield(task)

    async def _ask_host(self) -> PodmanHost:
        answer = await self._client.ask("learn what podman can do", "GET", "/info")
        return PodmanHost.from_info(answer.data)

    # What is left.

    def _is_ours(self, container: str, found: Mapping[str, Any]) -> bool:
        labels = found.get("Config", {}).get("Labels") or {}
        return found.get("Id") == container and labels.get("nrunner.job") == self._context.job_id

    async def _reap_others(self) -> None:
        with contextlib.suppress(SpawnError):
            await reap(self._client)

    async def _reap_own(self) -> None:
        """Remove what this job left, if nobody else can want it.

        That is what ended, and what an earlier controller had made and we did not take over.
        """
        job, own = self._context.job_id, self._identity.controller
        with contextlib.suppress(SpawnError):
            await reap(self._client, own, job=job, with_running=True, keep=self._adopted)

    async def _leave(self) -> None:
        """Remove what nobody can want, and what is too much of what somebody might."""
        await self._reap_own()
        self._layers.release()
        with contextlib.suppress(SpawnError):
            await self._layers.trim(self._settings.room)

    def _add_chore(self, work: Coroutine[Any, Any, None]) -> None:
        chore = asyncio.ensure_future(work)
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)


def make_spawner(context: SpawnerContext) -> PodmanSpawner:
    """Make the spawner for a job; raise PluginError if podman-py is not installed."""
    if find_spec("podman") is None:
        raise PluginError(
            "run tests in containers: the package podman is missing (pip install 'nrunner[podman]')"
        )
    return PodmanSpawner(context, Settings.from_config(context.config))


async def _discard(making: asyncio.Future[ContainerHandle]) -> None:
    """Remove a container that was asked for and is not wanted."""
    with contextlib.suppress(SpawnError):
        await (await making).destroy()
