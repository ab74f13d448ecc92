import pytest

from nrunner import plugins
from nrunner.errors import PluginError, UsageError
from nrunner.plugins import GROUPS, Plugin, every_plugin, find_plugin, runner_executables
from nrunner.resolver import registry as resolvers
from nrunner.results.registry import find_writer
from nrunner.runners import registry as runners


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Put a distribution with one good and some bad plugins on the path."""
    info = tmp_path / "farm-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: farm\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(
        "[nrunner.spawners]\nfarm = farm_plugin:make\nprocess = farm_plugin:make\n"
        "broken = farm_plugin:nothing\nabsent = no_such_module:make\nplain = farm_plugin:VALUE\n"
    )
    (tmp_path / "farm_plugin.py").write_text("VALUE = 1\ndef make(): return 'made'\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("group", GROUPS)
def test_every_plugin_of_ours_can_be_loaded(group):
    for plugin in every_plugin(group):
        if plugin.target.startswith("nrunner."):
            assert callable(plugin.load())


def test_the_table_names_what_the_registries_know():
    assert {each.name for each in every_plugin("resolvers")} >= set(resolvers.BUILT_IN)
    ours = {each.name for each in every_plugin("runners") if each.origin.startswith("nrunner ")}
    assert ours == runners.KINDS
    for plugin in every_plugin("results"):
        assert isinstance(find_writer(plugin.name), plugin.load())


def test_a_plugin_of_ours_is_found_without_reading_entry_points(monkeypatch):
    def fail(group):
        raise AssertionError("entry points were read")

    monkeypatch.setattr(plugins, "_entry_points", fail)
    assert find_plugin("spawners", "process").name == "process"


def test_plugins_of_other_distributions_are_found_and_say_where_they_come_from(distribution):
    plugin = find_plugin("spawners", "farm")
    assert plugin.origin == "farm 2.0"
    assert plugin.load()() == "made"


def test_a_name_of_ours_cannot_be_taken(distribution):
    targets = [each.target for each in every_plugin("spawners") if each.name == "process"]
    assert targets == ["nrunner.spawners.process:make_spawner"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "AttributeError"),
        ("absent", "ModuleNotFoundError"),
        ("plain", "is not a factory"),
    ],
)
def test_a_broken_plugin_is_named_with_its_distribution(distribution, name, reason):
    with pytest.raises(PluginError, match=rf"plugin '{name}' of spawners .*farm 2\.0.*{reason}"):
        find_plugin("spawners", name).load()


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UsageError, match="find spawner 'proces': did you mean 'process'"):
        find_plugin("spawners", "proces")
    with pytest.raises(UsageError, match=r"find spawner 'moon': there are .*process"):
        find_plugin("spawners", "moon")


def test_runner_executables_are_found_on_path_the_first_of_a_name(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("nrunner-runner-robot", "avocado-runner-golang", "nrunner-runner-", "other"):
            (tmp_path / folder / name).write_text("#!/bin/sh\n")
            (tmp_path / folder / name).chmod(0o755)
    (tmp_path / "one" / "nrunner-runner-data").write_text("not executable")
    first, second = str(tmp_path / "one"), str(tmp_path / "two")
    found = runner_executables({"PATH": f"{first}:{second}:/nowhere/at/all"})
    assert found == [
        Plugin("runners", "golang", f"{first}/avocado-runner-golang", first),
        Plugin("runners", "robot", f"{first}/nrunner-runner-robot", first),
    ]
