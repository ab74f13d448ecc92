"""What follows from what podman says of itself."""

from __future__ import annotations

import resource

import pytest

from nrunner.errors import SpawnError
from nrunner.spawners.podman import host
from nrunner.spawners.podman.host import PodmanHost


def info(rootless: bool, runtime: str) -> dict[str, object]:
    """Return an answer to ``podman info``."""
    return {"host": {"security": {"rootless": rootless}, "ociRuntime": {"name": runtime}}}


@pytest.mark.parametrize(
    ("rootless", "runtime", "asked", "own"),
    [
        (False, "crun", "auto", True),
        (False, "/opt/bin/crun", "auto", True),
        (False, "runc", "auto", False),
        (False, "runc", "private", True),
        (False, "crun", "host", False),
        (True, "crun", "auto", False),
        (True, "crun", "private", False),
    ],
)
def test_containers_have_users_of_their_own_where_that_is_useful(rootless, runtime, asked, own):
    assert PodmanHost.from_info(info(rootless, runtime)).gives_own_users(asked) is own


@pytest.mark.parametrize("answer", [None, {}, {"host": {"security": {}}}, []])
def test_a_podman_that_does_not_tell_is_named(answer):
    with pytest.raises(SpawnError, match="learn what podman can do"):
        PodmanHost.from_info(answer)


def test_what_an_agent_writes_is_its_users():
    assert PodmanHost.from_info(info(True, "crun")).agent_user() == "0:0"


@pytest.mark.parametrize(
    ("files", "processes", "pids", "asked"),
    [
        (20_000, 96_365, 32_768, {"nofile": 20_000, "nproc": 32_768}),
        (20_000, 10_000, 32_768, {"nofile": 20_000, "nproc": 10_000}),
        (1 << 20, 96_365, 1 << 22, {"nproc": 96_365}),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 32_768, {}),
        (1 << 21, 1 << 23, 1 << 22, {}),
    ],
)
def test_containers_get_no_higher_limits_than_podman_can_give(
    monkeypatch, tmp_path, files, processes, pids, asked
):
    hard = {resource.RLIMIT_NOFILE: files, resource.RLIMIT_NPROC: processes}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (hard[kind], hard[kind]))
    (tmp_path / "pid_max").write_text(f"{pids}\n")
    monkeypatch.setattr(host, "_PID_MAX", tmp_path / "pid_max")
    assert host.own_ulimits() == asked


def test_where_nobody_knows_how_many_pids_there_are_the_limit_is_ours(monkeypatch, tmp_path):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (9_000, 9_000))
    monkeypatch.setattr(host, "_PID_MAX", tmp_path / "none")
    assert host.own_ulimits() == {"nofile": 9_000, "nproc": 9_000}
