from __future__ import annotations

import os
from pathlib import Path

import pytest

from nrunner.status.log_file import LogFile, Part, part_of


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, Part(0, 10)),
        ("bytes=2-4", Part(2, 5)),
        ("bytes=0-0", Part(0, 1)),
        ("bytes=9-", Part(9, 10)),
        ("bytes=0-99", Part(0, 10)),
        ("bytes=-4", Part(6, 10)),
        ("bytes=-99", Part(0, 10)),
        ("bytes=-0", None),
        ("bytes=10-", None),
        ("bytes=4-2", None),
        ("bytes=-", Part(0, 10)),
        ("bytes=1-2,4-5", Part(0, 10)),
        ("lines=1-2", Part(0, 10)),
        ("bytes=1-2\n", Part(0, 10)),
        ("bytes=" + "9" * 5000 + "-", Part(0, 10)),
        ("bytes=٣-", Part(0, 10)),
    ],
)
def test_a_range_header_is_read(header: str | None, part: Part | None) -> None:
    assert part_of(header, 10) == part


def test_an_empty_file_has_an_empty_whole() -> None:
    assert part_of(None, 0) == Part(0, 0)
    assert part_of("bytes=0-", 0) is None


def test_a_file_inside_the_folder_is_read_by_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789")
    log = LogFile(tmp_path, path)

    assert log.size == 10
    assert log.read(4, 3) == b"456"
    assert log.read(8, 100) == b"89"
    log.close()


def test_what_is_no_file_of_the_folder_is_refused_and_leaves_nothing_open(tmp_path: Path) -> None:
    job, other = tmp_path / "job", tmp_path / "job-2"
    job.mkdir()
    other.mkdir()
    (other / "log").write_bytes(b"secret")
    (job / "link").symlink_to(other / "log")
    (job / "folder").symlink_to(other)
    (job / "id").write_bytes(b"x")
    (job / "link-inside").symlink_to(job / "id")
    os.mkfifo(job / "pipe")
    before = len(list(Path("/proc/self/fd").iterdir()))

    for path in (
        job / "link",
        job / "link-inside",
        job / "folder" / "log",
        job / "pipe",
        job / ".." / "job-2" / "log",
        other / "log",
        job,
        job / "nothing",
    ):
        with pytest.raises(OSError, match=r".+"):
            LogFile(job, path)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_job_folder_may_be_reached_by_a_link(tmp_path: Path) -> None:
    job = tmp_path / "job"
    job.mkdir()
    (job / "log").write_bytes(b"x")
    (tmp_path / "latest").symlink_to(job)

    log = LogFile(tmp_path / "latest", tmp_path / "latest" / "log")

    assert log.size == 1
    log.close()
