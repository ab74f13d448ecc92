"""The podman spawner before it has asked podman anything."""

from __future__ import annotations

import pytest

from nrunner.errors import PluginError
from nrunner.spawners.base import Eager, Keeping, Layered, Reaping, SpawnerContext
from nrunner.spawners.podman import spawner


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
