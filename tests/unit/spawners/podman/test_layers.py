"""What layers are found again by."""

from __future__ import annotations

from nrunner.runnable import Requirement
from nrunner.spawners.podman.layers import layer_key

ONE = Requirement("package", "one")
TWO = Requirement("package", "two")


def test_a_layer_is_what_it_began_from_and_all_that_holds_in_it():
    key = layer_key("sha256:abc", [ONE, TWO])
    assert layer_key("abc", [TWO, ONE, ONE]) == key
    assert layer_key("abd", [ONE, TWO]) != key
    assert layer_key("abc", [ONE]) != key
    other = Requirement("package", "two", kwargs={"action": "remove"})
    assert layer_key("abc", [ONE, other]) != key
