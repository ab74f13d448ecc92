"""Files that come from an environment, and those who would have them elsewhere."""

from __future__ import annotations

import os

import pytest

from nrunner.arrival import Allowance, Arrival
from nrunner.errors import ProtocolError


@pytest.fixture
def home(tmp_path):
    return tmp_path / "logs" / "1-x"


def arrival(home, **more) -> Arrival:
    return Arrival(str(home), Allowance(**more))


def test_files_come_in_parts_and_with_their_modes(home):
    coming = arrival(home)
    coming.take([["a/b", 0o755, 0, 3, False]], b"one")
    coming.take([["a/b", 0o755, 3, 3, True], ["c", 0o400, 0, 0, True]], b"two")
    coming.end()
    assert (home / "a" / "b").read_bytes() == b"onetwo"
    assert (home / "a" / "b").stat().st_mode & 0o777 == 0o755
    assert (home / "c").stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in home.iterdir()) == ["a", "c"]


def test_what_came_before_a_crash_is_replaced(home):
    home.mkdir(parents=True)
    (home / "a").write_text("much more than comes now")
    coming = arrival(home)
    coming.take([["a", 0o600, 0, 3, True]], b"new")
    assert (home / "a").read_bytes() == b"new"


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../../x", "a//b", ".", "", "a/", "a\0b", "\ud800", "./a"]
)
def test_no_path_leads_out_of_the_folder(home, path):
    with pytest.raises(ProtocolError):
        arrival(home).take([[path, 0o600, 0, 1, True]], b"x")
    assert not [*home.parent.parent.rglob("x")]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        ["a", 0o600, 0, 1],
        ["a", "x", 0, 1, True],
        [7, 0o600, 0, 1, True],
        ["a", 0o600, -1, 1, True],
        ["a", 0o600, 0, True, True],
        ["a", 0o600, 1 << 62, 1, True],
        ["a", 0o600, 0, 2, True],
    ],
)
def test_what_makes_no_sense_is_refused(home, entry):
    with pytest.raises(ProtocolError, match="receive files"):
        arrival(home).take([entry], b"x")


def test_links_that_are_there_are_not_followed(home, tmp_path):
    home.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (home / "folder").symlink_to(outside)
    (home / "file").symlink_to(outside / "file")
    coming = arrival(home)
    coming.take([["folder/x", 0o600, 0, 1, True], ["file", 0o600, 0, 1, True]], b"xy")
    coming.end()
    assert [*outside.iterdir()] == []
    text = (home / "left-out.txt").read_text()
    assert "folder/x: it cannot be kept: " in text
    assert "file: it cannot be kept: too many levels of symbolic links" in text


def test_a_pipe_that_is_there_keeps_nobody_waiting(home):
    home.mkdir(parents=True)
    os.mkfifo(home / "pipe")
    coming = arrival(home)
    coming.take([["pipe", 0o600, 0, 1, True]], b"x")
    assert not coming.is_whole


def test_a_name_that_is_both_a_file_and_a_folder_is_left_out(home):
    coming = arrival(home)
    coming.take([["a", 0o600, 0, 1, True], ["a/b", 0o600, 0, 1, True]], b"xy")
    coming.end()
    assert (home / "a").read_bytes() == b"x"
    assert "a/b: it cannot be kept: " in (home / "left-out.txt").read_text()


@pytest.mark.parametrize("most", [{"files": 2}, {"bytes": 2}])
def test_more_than_is_allowed_is_refused(home, most):
    coming = arrival(home, **most)
    coming.take([["a", 0o600, 0, 1, True], ["b", 0o600, 0, 1, True]], b"xy")
    with pytest.raises(ProtocolError, match="more came than was asked for"):
        coming.take([["c", 0o600, 0, 1, True]], b"z")


def test_what_is_missing_is_said_and_no_longer_than_people_read(home):
    coming = arrival(home)
    for number in range(150):
        coming.leave_out(f"file\n{number}", "it is a link")
    coming.end()
    lines = (home / "left-out.txt").read_text().splitlines()
    assert lines[:2] == ["Not brought here:", "'file\\n0': it is a link"]
    assert len(lines) == 102
    assert lines[-1] == "and 50 more"


def test_a_file_of_the_tests_own_with_the_name_of_ours_stays(home):
    coming = arrival(home)
    coming.take([["left-out.txt", 0o600, 0, 4, True]], b"own\n")
    coming.leave_out("x", "it is a link")
    coming.end()
    assert (home / "left-out.txt").read_text() == "own\nNot brought here:\nx: it is a link\n"


def test_nothing_is_made_for_nothing(home):
    arrival(home).end()
    assert not home.exists()
