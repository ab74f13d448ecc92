"""Which files need not be asked for in a container."""

from __future__ import annotations

import pytest

from nrunner.runnable import Requirement
from nrunner.spawners.podman.sight import is_seen


@pytest.fixture
def here(tmp_path):
    (tmp_path / "here" / "lib").mkdir(parents=True)
    (tmp_path / "here" / "file").write_text("")
    (tmp_path / "outside").write_text("")
    (tmp_path / "here" / "leads-out").symlink_to("../outside")
    (tmp_path / "here" / "leads-in").symlink_to("file")
    return tmp_path / "here"


@pytest.mark.parametrize("name", ["file", "lib", "./lib/../file", "leads-in"])
def test_a_file_in_the_current_folder_is_seen(here, name):
    assert is_seen(Requirement("file", name), str(here))
    assert is_seen(Requirement("file", kwargs={"name": name}), str(here))


@pytest.mark.parametrize("name", ["gone", "../outside", "leads-out", "/bin/sh", "a\0b"])
def test_what_is_not_there_or_not_shown_is_asked_for(here, name):
    assert not is_seen(Requirement("file", name), str(here))


def test_a_file_that_is_mounted_is_seen(here):
    outside = here.parent / "outside"
    assert is_seen(Requirement("file", str(outside)), str(here), [str(outside)])
    assert not is_seen(Requirement("file", str(outside)), str(here), [str(here / "lib")])


@pytest.mark.parametrize("more", [{"sha256": "0"}, {"mode": "0644"}, {"anything": 1}])
def test_a_file_of_which_more_is_demanded_is_asked_for(here, more):
    assert not is_seen(Requirement("file", "file", kwargs=more), str(here))


def test_only_files_are_looked_at(here):
    assert not is_seen(Requirement("command", "file"), str(here))
    assert not is_seen(Requirement("file"), str(here))
