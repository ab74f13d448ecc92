"""Host keys, as they stand in files and as people compare them."""

from __future__ import annotations

import pytest

from nrunner.errors import SpawnError
from nrunner.spawners.ssh.hostkey import HostKey

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIFcQGIGtcJUkXI0kkD0wSKzNMXBCYxAbmzq4CEnDnTvH"
KEY = f"ssh-ed25519 {BLOB}"


def test_a_key_is_the_same_with_and_without_a_comment():
    assert HostKey.parse(f"{KEY} root@somewhere\n") == HostKey.parse(KEY)
    assert str(HostKey.parse(f"{KEY} root@somewhere\n")) == KEY


def test_a_fingerprint_is_the_one_that_openssh_shows():
    # ssh-keygen -l -f
    assert HostKey.parse(KEY).fingerprint == "SHA256:EDu4eCC+lY7Py/RkQ0F/TMVtpstOy8Eaa0w7rzL3T6s"


def test_an_rsa_key_signs_as_no_server_refuses_any_more():
    assert HostKey("ssh-rsa", b"").algorithms == ("rsa-sha2-512", "rsa-sha2-256")
    assert HostKey.parse(KEY).algorithms == ("ssh-ed25519",)


@pytest.mark.parametrize(
    "text",
    ["", "ssh-ed25519", "ssh-ed25519 not*base64", f"ssh-rsa {BLOB}", "ssh-ed25519 AAAA", BLOB],
)
def test_what_is_no_key_is_refused_with_what_would_be_right(text):
    with pytest.raises(SpawnError, match=r"ssh-ed25519 AAAA\.\.\., as in known_hosts"):
        HostKey.parse(text)
