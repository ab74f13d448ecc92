"""Where a podman service is looked for."""

from __future__ import annotations

import pytest

from nrunner.errors import SpawnError
from nrunner.spawners.podman.service import Service, socket_paths


def test_root_and_users_have_services_of_their_own():
    assert socket_paths({}, 0) == ("/run/podman/podman.sock",)
    assert socket_paths({}, 7) == ("/run/user/7/podman/podman.sock",)
    assert socket_paths({"XDG_RUNTIME_DIR": "/x"}, 7) == ("/x/podman/podman.sock",)


@pytest.mark.parametrize(
    "address", ["ssh://host/run/podman.sock", "tcp://1:2", "relative", "unix://x"]
)
def test_a_service_elsewhere_is_refused_with_the_name_of_who_says_so(tmp_path, address):
    for asked, environ, source in (
        (address, {}, "podman.socket"),
        ("", {"CONTAINER_HOST": address}, "CONTAINER_HOST"),
    ):
        with pytest.raises(SpawnError, match=f"as {source} says: it has to be a socket on this"):
            Service(tmp_path, asked, "", environ).ensure()
