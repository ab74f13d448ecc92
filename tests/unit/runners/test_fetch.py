"""Locations of files: what people may see of them, and those that are no network's business."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nrunner.runners.fetch import FetchError, fetch, public


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("http://host/a/b.bin", "http://host/a/b.bin"),
        ("https://me:pa@ss@host:80/a?token=x#y", "https://host:80/a?..."),
        ("https://me@host", "https://host"),
        ("https://host/a@b", "https://host/a@b"),
        ("https://host/a#secret", "https://host/a"),
        ("https://host?u@x", "https://host?..."),
        ("/tmp/a?b@c", "/tmp/a?b@c"),
    ],
)
def test_what_is_secret_in_a_location_is_not_shown(location: str, shown: str) -> None:
    assert public(location) == shown


def read(location: str, base_dir: Path = Path("/"), deadline: float | None = None) -> bytes:
    found: list[bytes] = []
    fetch(location, str(base_dir), found.append, deadline=deadline)
    return b"".join(found)


@pytest.mark.parametrize("form", ["a b", "./a b", "{here}/a b", "file://{here}/a%20b"])
def test_a_file_is_read_by_its_path_or_as_a_url(tmp_path: Path, form: str) -> None:
    data = os.urandom(1 << 19)
    (tmp_path / "a b").write_bytes(data)
    assert read(form.format(here=tmp_path), tmp_path) == data


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("gone", "no such file or directory"),
        ("folder", "it is no file"),
        ("pipe", "it is no file"),
        ("a\0b", "embedded null"),
        ("file://elsewhere/a", "files of another machine (elsewhere) cannot be reached"),
        ("ftp://host/a", "'ftp' is not supported (http, https, file and paths are)"),
        ("http://", "no host given"),
        ("http://[::1/a", "it cannot be understood"),
        ("http://me:secret@ho st/a", "it cannot be understood"),
    ],
)
def test_why_nothing_can_be_had_is_said_without_what_is_secret(
    tmp_path: Path, location: str, reason: str
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FetchError) as caught:
        read(location, tmp_path)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(FetchError, match="it takes too long"):
        read("a", tmp_path, time.monotonic() - 1)
