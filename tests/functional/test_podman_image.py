"""Images that tests require of podman, loaded and built for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nrunner.errors import RequirementError, RunnerError
from nrunner.runnable import Requirement
from nrunner.runners.podman_image import PodmanImage
from tests.containers import busybox_image, podman


def want(uri: str | None = None, **kwargs: str) -> Requirement:
    return Requirement("podman-image", uri, kwargs=kwargs)


def test_an_image_is_loaded_from_an_archive(tmp_path: Path) -> None:
    base, runner = busybox_image(), PodmanImage()
    assert runner.check(want(base), str(tmp_path)) is None
    name = "localhost/nrunner-test-loaded:1"
    podman("tag", base, name)
    try:
        podman("save", "-q", "-o", str(tmp_path / "image.tar"), name)
        podman("untag", name, name)
        need = want(name, archive="image.tar")
        assert runner.check(need, str(tmp_path)) == f"podman has no image {name}"
        runner.fulfil(need, str(tmp_path))
        assert runner.check(need, str(tmp_path)) is None
    finally:
        subprocess.run(["podman", "untag", name, name], capture_output=True, check=False)


def test_an_image_is_built_again_only_if_what_it_is_built_from_has_changed(tmp_path: Path) -> None:
    runner = PodmanImage()
    (tmp_path / "box").mkdir()
    recipe = f"FROM {busybox_image()}\nCOPY data /data\n"
    (tmp_path / "box/Containerfile").write_text(recipe)
    (tmp_path / "box/data").write_text("one")
    name = "localhost/nrunner-test-built:1"
    need = want(name, build="box")
    try:
        assert "nothing was built from" in str(runner.check(need, str(tmp_path)))
        runner.fulfil(need, str(tmp_path))
        assert runner.check(need, str(tmp_path)) is None
        (tmp_path / "box/data").write_text("two")
        assert "nothing was built from" in str(runner.check(need, str(tmp_path)))
    finally:
        subprocess.run(["podman", "rmi", "-f", name], capture_output=True, check=False)


FAKE = """#!/bin/sh
case "$1 $2" in
    "image exists") [ -e "$0.$3" ] ;;
    "pull "*) echo Trying to pull $2...; touch "$0.$2" ;;
esac
"""


def test_an_image_that_is_not_there_is_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "podman").write_text(FAKE)
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert PodmanImage().check(want("box:1"), "/") == "podman has no image box:1"
    PodmanImage().fulfil(want("box:1"), "/")
    assert "+ podman pull box:1\nTrying to pull box:1...\n" in capfd.readouterr().out
    assert PodmanImage().check(want("box:1"), "/") is None


def test_what_podman_says_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = PodmanImage()
    with pytest.raises(RequirementError, match=r"podman says: Error: .*must be lowercase"):
        runner.check(want("localhost/UPPER:1"), str(tmp_path))
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY nothing /\n")
    with pytest.raises(RequirementError, match=r"podman build says: Error: .*nothing"):
        runner.fulfil(want("localhost/nrunner-test-never:1", build="."), str(tmp_path))
    with pytest.raises(RequirementError, match=r"no archive .*/none\.tar"):
        runner.check(want("x", archive="none.tar"), str(tmp_path))
    with pytest.raises(RequirementError, match=r"cannot build from .*: no such file"):
        runner.check(want("x", build="none"), str(tmp_path))
    with pytest.raises(RunnerError, match="not both"):
        runner.check(want("x", build="a", archive="b"), str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequirementError, match="podman cannot be executed: no such file"):
        runner.check(want("x"), str(tmp_path))
