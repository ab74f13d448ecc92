"""Settings of containers, from a job's configuration."""

from __future__ import annotations

from nrunner.config import OPTIONS, Config
from nrunner.record import fields
from nrunner.spawners.podman.settings import Limits, Room, Settings


def test_the_defaults_are_those_that_people_are_told():
    told = Config(results_dir="", python="", max_parallel_tasks=1)
    mine = Settings.from_config({})
    for each in fields(Settings):
        if each.name not in ("limits", "room"):
            default = told.value(f"podman.{each.name}")
            assert getattr(mine, each.name) == ("" if default is None else default)
    assert mine.limits == Limits(None, None, None, None)
    assert mine.room == Room(told.value("cache.layers_size"), told.value("cache.layers_age"))


def test_every_setting_of_podmans_is_read():
    config = {
        "podman.image": "i",
        "podman.socket": "s",
        "podman.runtime": "r",
        "podman.pull": "never",
        "podman.network": "private",
        "podman.prepare_network": "none",
        "podman.userns": "host",
        "podman.mounts": ["/a", "/b"],
        "podman.memory": 1 << 20,
        "podman.cpus": 0.5,
        "podman.pids": 20,
        "podman.disk": 7,
        "podman.reuse": "suite",
    }
    assert set(config) == {key for key in OPTIONS if key.startswith("podman.")}
    room = {"cache.layers_size": 7, "cache.layers_age": None}
    found = Settings.from_config({**config, **room})
    assert found.room == Room(7, None)
    assert found.limits == Limits(1 << 20, 0.5, 20, 7)
    assert found.mounts == ("/a", "/b")
    texts = [each for each in config if isinstance(config[each], str)]
    assert {key: getattr(found, key.removeprefix("podman.")) for key in texts} == {
        key: config[key] for key in texts
    }
