"""The podman spawner before it has asked podman anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from nrunner.errors import PluginError, SpawnError
from nrunner.spawners.base import Eager, Keeping, Layered, Reaping, SpawnerContext
from nrunner.spawners.podman import spawner
from nrunner.spawners.podman.agent import AgentSort
from nrunner.spawners.podman.container import Plan
from nrunner.spawners.podman.host import PodmanHost
from nrunner.spawners.podman.opening import NoProgram


def test_without_its_library_people_are_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(spawner, "find_spec", lambda _name: None)
    with pytest.raises(PluginError, match=r"podman is missing \(pip install 'nrunner\[podman\]'\)"):
        spawner.make_spawner(SpawnerContext("job", tmp_path, tmp_path, 2))


def test_making_one_starts_nothing(tmp_path):
    made = spawner.make_spawner(SpawnerContext("job", tmp_path, tmp_path, 2))
    assert list(tmp_path.iterdir()) == []
    assert all(isinstance(made, each) for each in (Eager, Keeping, Layered, Reaping))
    (offer,) = made.offers()
    assert (offer.slots, offer.is_shared, offer.shares_files) == (2, False, False)


class Refusing:
    """An opening that says no to some plans, and notes all."""

    is_wanted = True

    def __init__(self, refuse: Callable[[Plan], SpawnError | None]) -> None:
        self.plans: list[Plan] = []
        self._refuse = refuse

    async def open(self, plan: Plan) -> object:
        self.plans.append(plan)
        error = self._refuse(plan)
        if error is not None:
            raise error
        return object()


def poor(plan: Plan) -> SpawnError | None:
    """Refuse as podman does an image without Python, on files that no other users can be shown."""
    if plan.has_own_users:
        return SpawnError("start a container: mount_setattr: Invalid argument")
    if plan.agent is AgentSort.PYTHON:
        return NoProgram("start a container: it has no python3")
    return None


@pytest.fixture
def made(tmp_path, monkeypatch):
    async def learn() -> PodmanHost:
        return PodmanHost(is_rootless=False, runtime="crun")

    made = spawner.make_spawner(SpawnerContext("job", tmp_path, tmp_path, 2))
    monkeypatch.setattr(made, "_learn_host", learn)
    return made


def test_an_image_may_lack_python_where_users_cannot_be_its_own_either(made):
    opening = Refusing(poor)
    asyncio.run(made._open(opening, 1, "an-image", ""))
    what = [(plan.has_own_users, plan.agent) for plan in opening.plans]
    python, shell = AgentSort.PYTHON, AgentSort.SHELL
    assert what == [(True, python), (False, python), (False, shell)]
    assert len({plan.agent_folder for plan in opening.plans}) == 3
    again = Refusing(poor)
    asyncio.run(made._open(again, 2, "an-image", ""))
    assert [(plan.has_own_users, plan.agent) for plan in again.plans] == [(False, shell)]


def test_what_has_failed_in_every_way_is_told_and_changes_nothing(made):
    opening = Refusing(lambda _plan: SpawnError("start a container: no space left"))
    with pytest.raises(SpawnError, match="no space left"):
        asyncio.run(made._open(opening, 1, "an-image", ""))
    assert [plan.has_own_users for plan in opening.plans] == [True, False]
    asyncio.run(made._open(good := Refusing(lambda _plan: None), 2, "an-image", ""))
    assert [plan.has_own_users for plan in good.plans] == [True]
