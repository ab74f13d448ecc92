"""What a mirror holds for a reader at any moment. Files, but no other process."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.runners.mirror import Mirror, read_mirror


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "mirror")


def test_what_was_written_is_read_by_others_at_once(path):
    mirror = Mirror(path)
    assert mirror.write(b"one\n")
    assert mirror.write(b"two\n")
    assert read_mirror(path) == [b"one", b"two"]


def test_a_new_one_is_empty_and_for_its_user_only(path):
    Mirror(path)
    assert read_mirror(path) == []
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_a_restart_forgets_what_was_there(path):
    mirror = Mirror(path)
    mirror.write(b"old\n")
    mirror.restart(b"new\n")
    mirror.write(b"newer\n")
    assert read_mirror(path) == [b"new", b"newer"]


def test_many_restarts_with_little_to_keep_need_no_more_room(path):
    mirror = Mirror(path, 1024)
    for number in range(1000):
        line = b"%0100d\n" % number
        if not mirror.write(line):
            mirror.restart(line)
    found = read_mirror(path)
    assert found is not None
    assert found[-1] == b"%0100d" % 999
    assert Path(path).stat().st_size == 1024


def test_it_grows_with_what_has_to_be_kept(path):
    mirror, kept = Mirror(path, 1024), b""
    for number in range(500):
        kept += (line := b"%0100d\n" % number)
        if not mirror.write(line):
            mirror.restart(kept)
        assert read_mirror(path) == kept.split(b"\n")[:-1]


def test_without_a_place_for_the_file_nothing_is_written(tmp_path):
    mirror = Mirror(str(tmp_path / "missing" / "mirror"))
    assert not mirror.is_open
    assert not mirror.write(b"one\n")
    mirror.restart(b"one\n")
    mirror.remove()


def test_a_file_that_is_there_already_is_left_alone(path):
    Path(path).write_bytes(b"somebody's")
    assert not Mirror(path).is_open
    assert Path(path).read_bytes() == b"somebody's"


@pytest.mark.parametrize(
    "content",
    [b"", b"nrspool1", b"nrspool1" + b"\xff" * 8, b"x" * 64, b"nrspool1" + bytes(56)],
    ids=["empty", "no bounds", "bounds beyond it", "another file", "never opened"],
)
def test_a_file_that_is_no_mirror_is_not_believed(path, content):
    Path(path).write_bytes(content)
    assert read_mirror(path) is None


def test_there_is_nothing_to_read_without_a_file(path):
    assert read_mirror(path) is None


def test_what_is_closed_stays_and_what_is_removed_does_not(path):
    mirror = Mirror(path)
    mirror.write(b"one\n")
    mirror.close()
    assert not mirror.write(b"two\n")
    assert read_mirror(path) == [b"one"]
    mirror.remove()
    assert read_mirror(path) is None
