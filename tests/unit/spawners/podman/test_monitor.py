"""Which conmon a podman service of our own starts."""

from __future__ import annotations

import pytest

from nrunner.spawners.podman import monitor
from nrunner.spawners.podman.monitor import own_conmon


@pytest.fixture
def installed(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "conmon").touch(mode=0o755)
    return str(folder)


def test_the_first_conmon_that_can_be_run_is_wrapped_for_this_user_alone(tmp_path, installed):
    own = own_conmon(tmp_path, {}, ["/nowhere", installed])
    assert own == tmp_path / "conmon"
    assert own.stat().st_mode & 0o777 == 0o700
    assert f"exec {installed}/conmon" in own.read_text()


def test_where_none_is_found_podman_looks_for_it(tmp_path):
    assert own_conmon(tmp_path, {}, ["/nowhere"]) is None
    assert not (tmp_path / "conmon").exists()


@pytest.mark.parametrize("variable", ["CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"])
def test_a_conmon_that_somebody_chose_is_left_to_podman(tmp_path, installed, variable):
    settings = tmp_path / "containers.conf"
    settings.write_text('[engine]\n# conmon_path = ["/no"]\nruntime = "crun"\n')
    assert own_conmon(tmp_path, {variable: str(settings)}, [installed])
    settings.write_text('[engine]\n  conmon_path = ["/opt/conmon"]\n')
    assert own_conmon(tmp_path, {variable: str(settings)}, [installed]) is None


def test_a_user_may_have_chosen_one(tmp_path, installed):
    settings = tmp_path / ".config/containers/containers.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text('conmon_path = ["/opt/conmon"]\n')
    assert own_conmon(tmp_path, {"HOME": str(tmp_path)}, [installed]) is None
    assert own_conmon(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "x")}, [installed])


def test_where_nothing_can_be_executed_podman_uses_its_own(tmp_path, installed, monkeypatch):
    monkeypatch.setattr(monitor.os, "access", lambda path, _mode: str(path).startswith(installed))
    assert own_conmon(tmp_path, {}, [installed]) is None
