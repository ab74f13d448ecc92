"""What podman is asked for, from what was decided about a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.errors import SpawnError
from nrunner.record import replace
from nrunner.spawners.podman.agent import AGENT_FOLDER, AgentSort
from nrunner.spawners.podman.container import (
    Identity,
    Plan,
    container_name,
    specification,
)
from nrunner.spawners.podman.settings import Limits

PLAN = Plan(
    "name",
    "image",
    AgentSort.PYTHON,
    Path("/cache/agent.pyz"),
    Path("/rt/c1"),
    Identity("job-1", "boot", "12:34"),
    "none",
    Limits(),
    writable=("/results/kept",),
    readable=("/home/me/tests",),
)


def mounts(plan: Plan) -> dict[str, list[str]]:
    """Return the options of mounts by what is seen inside."""
    return {each["destination"]: each["options"] for each in specification(plan)["mounts"]}


def test_a_container_has_no_rights_and_no_network():
    asked = specification(PLAN)
    assert asked["cap_drop"] == ["all"]
    assert asked["no_new_privileges"] is True
    assert asked["netns"] == {"nsmode": "none"}
    assert "privileged" not in asked
    assert asked["labels"] == {
        "nrunner.job": "job-1",
        "nrunner.boot": "boot",
        "nrunner.controller": "12:34",
    }


def test_only_what_is_kept_and_the_agents_folder_may_be_written():
    seen = mounts(PLAN)
    assert {path for path, options in seen.items() if "rw" in options} == {
        "/results/kept",
        AGENT_FOLDER,
        "/tmp",
        "/dev/shm",
    }
    assert "ro" in seen["/home/me/tests"]
    assert "ro" in seen["/run/nrunner.pyz"]


def test_a_folder_that_is_both_may_be_written():
    both = replace(PLAN, readable=("/a/b/", "/a"), writable=("/a/b",))
    assert "rw" in mounts(both)["/a/b"]
    assert "ro" in mounts(both)["/a"]


def test_tests_below_the_temporary_folder_leave_it_to_them():
    assert "ro" in mounts(replace(PLAN, readable=("/tmp",)))["/tmp"]


@pytest.mark.parametrize("path", ["/", "/usr", "/etc/", "/run"])
def test_a_folder_of_the_system_cannot_be_shown(path):
    with pytest.raises(SpawnError, match="from another folder"):
        specification(replace(PLAN, readable=(path,)))


def test_limits_are_asked_for_and_swap_is_none():
    asked = specification(replace(PLAN, limits=Limits(64 << 20, 0.5, 100)))["resource_limits"]
    assert asked == {
        "memory": {"limit": 64 << 20, "swap": 64 << 20},
        "cpu": {"quota": 50_000, "period": 100_000},
        "pids": {"limit": 100},
    }
    assert "resource_limits" not in specification(PLAN)


def test_with_a_limit_on_disk_nothing_is_written_but_what_has_one():
    limited = replace(PLAN, limits=Limits(disk=10 << 20))
    assert specification(limited)["read_only_filesystem"] is True
    seen = mounts(limited)
    assert f"size={10 << 20}" in seen["/tmp"]
    sizes = [any(each.startswith("size=") for each in seen[path]) for path in ("/run", "/dev/shm")]
    assert sizes == [True, True]
    assert "read_only_filesystem" not in specification(PLAN)
    assert not any(each.startswith("size=") for each in mounts(PLAN)["/tmp"])


def test_users_of_its_own_are_nobody_outside_and_files_keep_their_owners():
    asked = specification(replace(PLAN, has_own_users=True))
    ids = asked["idmappings"]["UIDMap"]
    assert ids == asked["idmappings"]["GIDMap"]
    assert [each["container_id"] for each in ids] == [0]
    assert ids[0]["host_id"] > 1 << 30
    binds = [each for each in asked["mounts"] if each["type"] == "bind"]
    assert all("idmap" in each["options"] for each in binds)
    assert "userns" not in specification(PLAN)
    assert not any("idmap" in options for options in mounts(PLAN).values())


def test_who_prepares_keeps_the_rights_that_installing_takes():
    assert "cap_drop" not in specification(replace(PLAN, may_administer=True))


def test_a_network_that_is_not_known_is_refused():
    with pytest.raises(SpawnError, match="expected none or private"):
        specification(replace(PLAN, network="host"))


def test_the_name_of_a_container_has_letters_that_podman_takes():
    assert container_name("job 1/ä", 3, "12:34") == "nrunner-job-1---12-3"
