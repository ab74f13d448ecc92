"""Folders for sockets that dead jobs left: real sockets, old and new."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from nrunner.leftover import OLD, remove_old


@pytest.fixture
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("p")  # short, for sockets


def make(parent: Path, name: str, *, age: float, listens: bool = False) -> socket.socket:
    """Make the folder of a job, last changed so many seconds ago, with a socket in it."""
    agent = parent / name / "agent-1"
    agent.mkdir(parents=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(agent / "socket"))
    if listens:
        listener.listen(1)
    else:
        listener.close()
    then = time.time() - age
    os.utime(parent / name, (then, then))
    return listener


def names(parent: Path) -> list[str]:
    return sorted(path.name for path in parent.iterdir())


def test_what_is_old_and_dead_goes(parent: Path) -> None:
    make(parent, "old", age=OLD + 60)
    make(parent, "new", age=60)
    with make(parent, "lives", age=OLD * 30, listens=True):
        removed = remove_old(parent, time.time())
        assert [path.name for path in removed] == ["old"]
        assert names(parent) == ["lives", "new"]


def test_links_and_files_are_left_alone(parent: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept").touch()
    (parent / "link").symlink_to(precious)
    (parent / "file").touch()
    for name in ("link", "file"):
        os.utime(parent / name, (1, 1), follow_symlinks=False)
    assert remove_old(parent, time.time()) == []
    assert (precious / "kept").exists()
    assert names(parent) == ["file", "link"]


def test_no_folder_at_all_is_fine(parent: Path) -> None:
    assert remove_old(parent / "missing", time.time()) == []
