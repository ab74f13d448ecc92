"""The images that tests of containers use hold what they are said to hold."""

from __future__ import annotations

import pytest

from tests.containers import (
    LIMITS,
    busybox_image,
    image_exists,
    oci_runtime,
    podman,
    python_image,
)
from tests.debian_image import PACKAGES, debian_image


def run(image: str, *words: str) -> str:
    """Run a command in a new container of an image, without a network."""
    isolated = ("--rm", "--pull=never", "--network=none", *LIMITS)
    return podman("--runtime", oci_runtime(), "run", *isolated, image, *words)


def test_the_image_with_python_has_a_whole_standard_library():
    program = "import asyncio, ctypes, json, ssl, unittest; print(json.dumps([1]))"
    assert run(python_image(), "python3", "-c", program) == "[1]"


def test_the_image_of_busybox_has_a_shell_and_no_python():
    assert run(busybox_image(), "sh", "-c", "echo hello; command -v python3 || true") == "hello"


def test_the_image_of_debian_installs_packages_without_a_network():
    name = PACKAGES[0]
    install = f"apt-get update && apt-get install -y {name} && cat /usr/share/{name}/here"
    said = run(debian_image(), "sh", "-ec", f"({install}) 2>/dev/null; dpkg --audit; python3 -V")
    assert "\nhere\nPython 3" in said, said


def test_an_image_is_made_once():
    name = busybox_image()
    before = podman("image", "inspect", "-f", "{{.Id}}", name)
    assert busybox_image() == name
    assert image_exists(name)
    assert podman("image", "inspect", "-f", "{{.Id}}", name) == before


def test_a_podman_that_fails_says_why():
    with pytest.raises(AssertionError, match="nrunner-test-nothing"):
        podman("image", "inspect", "localhost/nrunner-test-nothing")
