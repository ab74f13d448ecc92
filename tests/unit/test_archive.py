"""An archive has all that a folder holds, or is not there."""

import os
import socket
import stat
import zipfile

import pytest

from nrunner.archive import archive
from nrunner.errors import ResultsError


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
    target = archive(folder)
    with zipfile.ZipFile(target) as packed:
        assert sorted(packed.namelist()) == ["inner/", "inner/file", "link", "old\\udcff"]
        assert packed.read("inner/file") == b"\xff" * 3
        link = packed.getinfo("link")
        assert (packed.read(link), stat.S_ISLNK(link.external_attr >> 16)) == (b"inner", True)
    assert (target, stat.S_IMODE(target.stat().st_mode)) == (tmp_path / "job.zip", 0o600)


def test_half_an_archive_is_not_left_behind(tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    (tmp_path / "job.zip").mkdir()
    with pytest.raises(ResultsError, match=r"pack .*job: "):
        archive(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job", "job.zip"]
