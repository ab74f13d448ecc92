"""What follows from what podman says of itself."""

from __future__ import annotations

import pytest

from nrunner.errors import SpawnError
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
