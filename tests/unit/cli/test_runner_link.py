"""Our runner executables under Avocado's names: which links are made, and which are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.cli import runner_link
from nrunner.cli.main import main
from nrunner.errors import ExitCode


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is that of installed scripts, with all of ours."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    for kind in runner_link.KINDS:
        (folder / f"nrunner-runner-{kind}").touch(0o755)
    monkeypatch.setattr(runner_link.sysconfig, "get_path", lambda _: str(folder))
    return folder


def links(folder: Path) -> dict[str, str]:
    return {each.name: str(each.readlink()) for each in folder.iterdir()}


def test_each_kind_of_test_gets_a_link(scripts, tmp_path, capsys):
    assert main(["runner", "link", str(tmp_path / "a/b")]) == 0
    made = links(tmp_path / "a/b")
    assert {"avocado-runner-exec-test", "avocado-runner-noop", "avocado-runner-tap"} <= set(made)
    assert "avocado-runner-package" not in made
    assert made["avocado-runner-tap"] == str(scripts / "nrunner-runner-tap")
    said = capsys.readouterr().out.splitlines()
    assert f"{tmp_path}/a/b/avocado-runner-tap -> {scripts}/nrunner-runner-tap" in said


def test_kinds_that_are_named_get_one_and_no_other(scripts, tmp_path):
    assert main(["runner", "link", str(tmp_path / "a"), "tap", "package", "tap"]) == 0
    assert set(links(tmp_path / "a")) == {"avocado-runner-tap", "avocado-runner-package"}


def test_a_link_of_ours_is_renewed(scripts, tmp_path):
    old = tmp_path / "avocado-runner-tap"
    old.symlink_to("/elsewhere/nrunner-runner-tap")
    assert main(["runner", "link", str(tmp_path), "tap"]) == 0
    assert old.readlink() == scripts / "nrunner-runner-tap"


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_somebody_else_has_put_there_stays(scripts, tmp_path, capsys, what):
    there = tmp_path / "avocado-runner-tap"
    if what == "file":
        there.write_text("Avocado's")
    else:
        there.symlink_to("/usr/bin/avocado-runner-tap")
    assert main(["runner", "link", str(tmp_path), "tap"]) == ExitCode.JOB_FAILED
    assert capsys.readouterr().err == f"nrunner: could not make {there}: something else is there\n"
    assert there.is_symlink() == (what == "link")


def test_a_kind_that_is_none_makes_nothing(scripts, tmp_path, capsys):
    assert main(["runner", "link", str(tmp_path / "a"), "tap", "tpa"]) == ExitCode.USAGE
    assert "could not link kind 'tpa': known are asset, " in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_a_folder_that_cannot_be_made_is_told(scripts, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["runner", "link", str(tmp_path / "file/a"), "tap"]) == ExitCode.JOB_FAILED
    assert f"could not make links in {tmp_path}/file/a: Not a directory" in capsys.readouterr().err


def test_where_executables_are_not_installed_that_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner_link.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["runner", "link", str(tmp_path), "tap"]) == ExitCode.JOB_FAILED
    assert "could not find nrunner-runner-tap in " in capsys.readouterr().err
