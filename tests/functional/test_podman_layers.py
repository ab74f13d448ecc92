"""Images that tests ask for, and what was prepared in a container."""

from __future__ import annotations

import json

import pytest

from nrunner.errors import RequirementError
from nrunner.runnable import Requirement
from tests.containers import busybox_image, podman, python_image
from tests.functional.podman_job import image_requirement, output_of, podman_job
from tests.functional.test_podman_spawner import run

NEEDS = (Requirement("package", "one"), Requirement("package", "two"))


def forget_layer(image: str) -> None:
    """Remove an image that a test has made."""
    podman("rmi", "-f", image)


def test_what_was_prepared_is_kept_and_found_again(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path) as job:
            found = await job.spawner.find("podman", NEEDS)
            assert found.missing == NEEDS
            async with job.environment(found.workshop) as (talk, handle):
                shell = "echo made > /made && chown 1:1 /made && grep -c : /proc/net/dev"
                assert int(await output_of(talk, 1, "/bin/sh", "-c", shell)) > 1, "no network"
                layer = await job.spawner.keep(handle, NEEDS)
            try:
                again = await job.spawner.find("podman", NEEDS[::-1])
                assert (again.base, again.missing) == (layer, ())
                other = await job.spawner.find("podman", NEEDS[:1])
                assert other.missing == NEEDS[:1]
                async with job.environment(layer) as (talk, _):
                    assert await output_of(talk, 1, "/bin/stat", "-c", "%u", "/made") == "1\n"
                    lines = await output_of(talk, 2, "/bin/grep", "-c", ":", "/proc/net/dev")
                    assert lines == "1\n", "a test has the network that preparing had"
                labels = json.loads(podman("image", "inspect", "-f", "{{json .Labels}}", layer))
                assert labels["nrunner.job"] == "", "what others make of it would be reaped"
            finally:
                forget_layer(layer)

    run(main())


def test_limits_are_for_tests_and_not_for_what_prepares(tmp_path):
    look = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null || true"

    async def main() -> None:
        async with podman_job(tmp_path, pids=50) as job:
            found = await job.spawner.find("podman", NEEDS)
            async with job.environment(found.base) as (talk, _):
                assert await output_of(talk, 1, "/bin/sh", "-c", look) == "50\n"
            async with job.environment(found.workshop) as (talk, _):
                assert int(await output_of(talk, 1, "/bin/sh", "-c", look)) > 50

    run(main())


def test_an_image_is_loaded_from_an_archive_once(tmp_path):
    name = f"localhost/nrunner-test-loaded:{tmp_path.name}"
    podman("tag", busybox_image(), name)
    podman("save", "-q", "-o", str(tmp_path / "image.tar"), name)
    podman("untag", busybox_image(), name)
    wanted = image_requirement(uri=name, archive="../image.tar")

    async def main() -> None:
        async with podman_job(tmp_path) as job:
            found = await job.spawner.find("podman", [wanted])
            assert found.missing == ()
            assert podman("image", "inspect", "-f", "{{.Id}}", name) == found.base
            (tmp_path / "image.tar").unlink()
            assert (await job.spawner.find("podman", [wanted])).base == found.base

    try:
        run(main())
    finally:
        podman("untag", busybox_image(), name)


def test_an_image_is_built_and_built_again_only_if_something_changed(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path) as job:
            recipe = job.base_dir / "Containerfile"
            recipe.write_text(f"FROM {python_image()}\nENV BUILT=one\n")
            first = await job.spawner.find("podman", [image_requirement(build=".")])
            async with job.environment(first.base) as (talk, _):
                assert "BUILT=one" in await output_of(talk, 1, "/bin/env")
        (tmp_path / "again").mkdir()
        async with podman_job(tmp_path / "again") as job:
            (job.base_dir / "Containerfile").write_text(recipe.read_text())
            again = await job.spawner.find("podman", [image_requirement(build=".")])
            assert again.base == first.base
        forget_layer(first.base)

    run(main())


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"uri": "localhost/nothing:1"}, "use image localhost/nothing:1: it is not there"),
        ({"archive": "none.tar"}, "load an image from .*none.tar: No such file"),
        ({"build": "nothing"}, "build an image from .*nothing.*: No such file"),
        ({"build": "wrong"}, r"build an image from .*wrong"),
        ({"archive": "a", "build": "b"}, "say archive or build, not both"),
        ({"uri": "a", "digest": "b"}, 'it knows no "digest"'),
        ({}, "no uri names the image"),
    ],
)
def test_an_image_that_cannot_be_had_is_a_requirement_that_is_not_met(tmp_path, wanted, words):
    async def main() -> None:
        async with podman_job(tmp_path, pull="never") as job:
            (job.base_dir / "wrong").mkdir()
            (job.base_dir / "wrong" / "Containerfile").write_text("FROM scratch\nNONSENSE\n")
            with pytest.raises(RequirementError, match=words):
                await job.spawner.find("podman", [image_requirement(**wanted)])

    run(main())
