"""An archive has all that a folder holds and that can be read, or is not there."""

import os
import socket
import stat
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from nrunner.archive import archive
from nrunner.errors import ResultsError
from nrunner.runners.removal import remove_tree


def test_links_stay_links_and_what_is_no_file_is_left_out(tmp_path):
    folder = tmp_path / "job"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/file").write_bytes(b"\xff" * 3)
    (folder / "link").symlink_to("inner")
    (folder / ".spools").mkdir()
    (folder / ".spools/mine").touch()
    (folder / "old\udcff").touch()
    os.utime(folder / "old\udcff", (0, 0))
    os.mkfifo(folder / "pipe")
    peer = socket.socket(socket.AF_UNIX)
    peer.bind(str(folder / "socket"))
    peer.close()
    assert archive(folder) == []
    target = tmp_path / "job.zip"
    with zipfile.ZipFile(target) as packed:
        assert sorted(packed.namelist()) == ["inner/", "inner/file", "link", "old\\udcff"]
        assert packed.read("inner/file") == b"\xff" * 3
        link = packed.getinfo("link")
        assert (packed.read(link), stat.S_ISLNK(link.external_attr >> 16)) == (b"inner", True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_half_an_archive_is_not_left_behind(tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    (tmp_path / "job.zip").mkdir()
    with pytest.raises(ResultsError, match=r"pack .*job: "):
        archive(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job", "job.zip"]


@pytest.mark.parametrize(
    ("changed", "year"), [(-(2**33), 1980), (7258118400, 2107), (2**50, 2107), (2**60, 2107)]
)
def test_a_file_may_be_of_any_time(tmp_path, monkeypatch, changed, year):
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "file").write_text("kept")
    found = list((folder / "file").lstat())
    found[stat.ST_MTIME] = changed  # not every file system has all of them
    monkeypatch.setattr(Path, "lstat", lambda _path: os.stat_result(found))
    assert archive(folder) == []
    with zipfile.ZipFile(tmp_path / "job.zip") as packed:
        assert (packed.testzip(), packed.read("file")) == (None, b"kept")
        assert packed.getinfo("file").date_time[0] == year


def test_folders_in_each_other_deeper_than_python_calls_are_packed(tmp_path):
    folder = tmp_path / "job"
    depth = sys.getrecursionlimit() + 100
    for count in range(depth + 1):
        Path(f"{folder}/{'d/' * count}").mkdir()
    try:
        assert archive(folder) == []
    finally:
        remove_tree(str(folder))  # pytest could not
    with zipfile.ZipFile(tmp_path / "job.zip") as packed:
        assert len(packed.namelist()) == depth


@pytest.fixture
def ours():
    """Return a folder that belongs to this process, which is not root's meanwhile."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, user or 65534, -1)
        os.seteuid(user or 65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(user)


def test_what_cannot_be_read_is_named_and_all_else_is_packed(ours):
    folder = ours / "job"
    (folder / "shut").mkdir(parents=True)
    (folder / "shut/file").touch()
    for name in ("file", "secret"):
        (folder / name).write_text("kept")
    (folder / "secret").chmod(0)
    (folder / "shut").chmod(0)
    try:
        left_out = archive(folder)
    finally:
        (folder / "shut").chmod(0o700)
    assert left_out == ["secret: permission denied", "shut: permission denied"]
    with zipfile.ZipFile(ours / "job.zip") as packed:
        assert sorted(packed.namelist()) == ["file", "shut/"]
        assert packed.testzip() is None
