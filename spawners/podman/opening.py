"""Making one container and getting its agent to listen, or leaving nothing behind.

Not responsible for what the container is made with (``container``), nor for it once it is there
(``handle``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from nrunner.errors import SpawnError
from nrunner.offload import offload
from nrunner.runners.removal import remove_tree
from nrunner.spawners.podman.agent import NO_PYTHON, AgentSort
from nrunner.spawners.podman.client import Client
from nrunner.spawners.podman.container import Plan, specification
from nrunner.spawners.podman.doorbell import Doorbell
from nrunner.spawners.podman.handle import ContainerHandle, Found, last_words
from nrunner.spawners.podman.life import Life

__all__ = ["NoProgram", "Opening", "make_agent_folder"]

_READY_WITHIN = 20.0
_NETWORKS = ("netavark", "network", "pasta", "slirp4netns", "cni")
"""Words of which one is in what podman says when it cannot make a network."""


class NoProgram(SpawnError):
    """The image lacks what its agent needs."""


class Opening:
    """One container on its way."""

    def __init__(self, client: Client, place: str) -> None:
        self._client = client
        self._place = place
        self.is_wanted = True
        """Whether anybody waits for it still."""
        self._container = ""
        self._life: Life | None = None

    async def open(self, plan: Plan) -> ContainerHandle:
        """Make the container and start its agent; raise SpawnError. Not to be cancelled.

        Nothing is left of one that failed; then it may be tried with another plan.
        """
        bell = Doorbell(plan.agent_folder)
        plan.agent.prepare(plan.agent_folder)
        try:
            await self._start(plan)
            life = self._life = await self._first_process(plan)
            if plan.agent is AgentSort.PYTHON:
                await self._wait_ready(plan, life, bell)
            self._go_on()
        except BaseException:
            await self._undo(plan)
            raise
        finally:
            bell.close()
        found = Found(self._container, plan.agent_folder, plan.image, plan.agent)
        return ContainerHandle(self._place, self._client, found, life, limits=plan.limits)

    def give_up(self) -> None:
        """Stop as soon as that is possible, and remove what there is."""
        self.is_wanted = False

    def _go_on(self) -> None:
        if not self.is_wanted:
            raise SpawnError("make a container: nobody wants it any more")

    async def _start(self, plan: Plan) -> None:
        asked = specification(plan)
        self._go_on()
        what = f"make a container of {plan.image}"
        answer = await self._client.ask(what, "POST", "/containers/create", json_body=asked)
        self._container = str(answer.data["Id"])
        self._go_on()
        what = f"start container {plan.name} of {plan.image}"
        try:
            await self._client.ask(what, "POST", f"/containers/{self._container}/start")
        except SpawnError as error:
            program = plan.agent.command(plan.slots)[0]
            if program in str(error) and "not found" in str(error):
                raise NoProgram(f"{what}: it has no {program}") from error
            hint = _network_hint(plan, str(error))
            raise SpawnError(f"{error}{hint}") from error
        self._go_on()

    async def _first_process(self, plan: Plan) -> Life:
        found = await self._client.inspect(self._container)
        state = found["State"] if found is not None else {}
        pid = int(state.get("Pid") or 0)
        life = Life.of(self._container, pid) if pid else None
        if life is None:
            status = state.get("ExitCode", "unknown")
            raise _failure(plan, "start", f"its agent ended at once, with status {status}")
        if plan.limits.memory is not None and not life.memory_group:
            life.close()
            raise SpawnError(
                "limit the memory of a container: podman cannot do that for this user with control"
                " groups of version 1 (leave out --podman-memory, or run as root)"
            )
        return life

    async def _wait_ready(self, plan: Plan, life: Life, bell: Doorbell) -> None:
        """Wait until the agent listens; raise SpawnError if it ended before."""
        ringing = asyncio.ensure_future(bell.wait())
        waits = (ringing, asyncio.ensure_future(life.wait()))
        await asyncio.wait(waits, timeout=_READY_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        is_ready = ringing.done()
        for each in waits:
            each.cancel()
        if life.is_over:
            raise _failure(plan, "have the agent listen in", "it ended")
        if not is_ready:
            how = f"it did not within {_READY_WITHIN:g} s"
            raise _failure(plan, "have the agent listen in", how)

    async def _undo(self, plan: Plan) -> None:
        life, self._life = self._life, None
        container, self._container = self._container, ""
        if life is not None:
            life.close()
        if container:
            # What cannot be removed now is when the job ends, or when the next one does.
            with contextlib.suppress(SpawnError):
                await self._client.remove(container)
        await offload(remove_tree, str(plan.agent_folder))


def _network_hint(plan: Plan, said: str) -> str:
    """Say what does without a network, if that seems to be what cannot be had."""
    if plan.network == "none" or not any(word in said for word in _NETWORKS):
        return ""
    setting = "podman.prepare_network" if plan.may_administer else "podman.network"
    return f' ({setting} = "none" does without a network)'


def _failure(plan: Plan, what: str, how: str) -> SpawnError:
    said = last_words(plan.agent_folder)
    if said.startswith(NO_PYTHON):
        return NoProgram(f"{what} container {plan.name}: {said}")
    text = f"{what} container {plan.name} of {plan.image[:40]}: {how}"
    return SpawnError(f"{text}: {said}" if said else text)


def make_agent_folder(parent: Path, number: int) -> Path:
    """Make the folder of an agent, with its token; raise SpawnError.

    What an earlier controller of the job left in the parent is not touched.
    """
    folder = parent / f"c{number}"
    while os.path.lexists(folder):
        folder = folder.with_name(folder.name + "-")
    try:
        folder.mkdir(mode=0o700)
        token = os.open(folder / "token", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(token, "w") as file:
            file.write(os.urandom(16).hex())
    except OSError as error:
        raise SpawnError(f"make {folder}: {error.strerror or error}") from error
    return folder
