"""What is fetched or lies here, in containers that have no network and do not see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import oci_runtime, podman, python_image
from tests.functional.file_server import FileServer, serving
from tests.functional.sandbox import End, Sandbox

CHECK = """\
test "$(wc -c < $NRUNNER_ASSET_DISK_IMG)" = 1048576 &&
test "$(cat /opt/conf/site.conf)" = %s
"""


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture
def image(tmp_path: Path) -> Iterator[str]:
    """Return the name of an image of this test's own: what is made from it has its label."""
    name = f"localhost/nrunner-test-brought:{tmp_path.parent.name}"
    recipe = tmp_path / "Containerfile"
    recipe.write_text(f"FROM {python_image()}\nLABEL nrunner-test={name}\n")
    podman("build", "-q", "-t", name, "-f", str(recipe), str(tmp_path))
    yield name
    podman("rmi", "-f", *layers_on(name), name)


def layers_on(name: str) -> list[str]:
    base = podman("image", "inspect", "-f", "{{.Id}}", name)
    made = podman("images", "-q", "--no-trunc", "--filter", f"label=nrunner-test={name}").split()
    return [each for each in made if each.removeprefix("sha256:") != base]


def run(sandbox: Sandbox, server: FileServer, image: str, word: str) -> End:
    needs = [
        {"type": "asset", "name": "disk.img", "locations": [server.url("good")]},
        {"type": "file", "uri": "/opt/conf/site.conf", "from": "site.conf"},
    ]
    recipe = {"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", CHECK % word]}
    sandbox.write("site.conf", word + "\n", executable=False)
    sandbox.write("test.json", json.dumps({**recipe, "requirements": needs}), executable=False)
    sandbox.env["NRUNNER_PODMAN_RUNTIME"] = oci_runtime()
    words = ("run", "--spawner", "podman", "--podman-image", image, "test.json")
    return sandbox.run(*words)


def test_assets_and_files_get_into_containers_once_and_anew_when_they_have_changed(
    sandbox: Sandbox, server: FileServer, image: str
) -> None:
    for word, layers in (("first", 1), ("first", 1), ("second", 2)):
        end = run(sandbox, server, image, word)
        assert end.code == 0, end
        assert sandbox.tests()["/bin/sh"]["status"] == "PASS"
        assert len(layers_on(image)) == layers
    assert server.asked == {"good": 1}
