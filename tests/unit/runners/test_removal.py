"""Removing what tests left, however they left it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from nrunner.runners import removal
from nrunner.runners.removal import remove_tree, removing


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file in a folder that is not to be removed, nor changed."""
    folder = tmp_path / "elsewhere"
    folder.mkdir(mode=0o750)
    (folder / "precious").write_text("kept")
    return folder / "precious"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    return tree


def is_kept(precious: Path) -> bool:
    mode = stat.S_IMODE(precious.parent.stat().st_mode)
    return precious.read_text() == "kept" and mode == 0o750


def test_everything_goes_whatever_it_is(tree: Path, precious: Path) -> None:
    (tree / "a" / "b" / "c").mkdir(parents=True)
    (tree / "a" / "file").write_text("")
    (tree / "a" / "b" / "\udcff odd\n").write_text("")
    os.mkfifo(tree / "a" / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "s"))
    (tree / "link").symlink_to(precious.parent)
    (tree / "a" / "loop").symlink_to("loop")
    (tree / "a" / "up").symlink_to("..")
    remove_tree(str(tree))
    assert not os.path.lexists(tree)
    assert is_kept(precious)


@pytest.mark.parametrize("sort", ["link", "dangling link", "file", "nothing"])
def test_what_stands_in_place_of_a_folder_goes_and_not_what_it_leads_to(
    tree: Path, precious: Path, sort: str
) -> None:
    tree.rmdir()
    if sort == "link":
        tree.symlink_to(precious.parent)
    elif sort == "dangling link":
        tree.symlink_to("nowhere")
    elif sort == "file":
        tree.write_text("")
    remove_tree(str(tree))
    assert not os.path.lexists(tree)
    assert is_kept(precious)


def test_folders_may_be_deeper_than_a_path_can_tell(tree: Path) -> None:
    folder = os.open(tree, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deeper", dir_fd=folder)
        below = os.open("deeper", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    os.close(folder)
    descriptors = len([*Path("/proc/self/fd").iterdir()])
    remove_tree(str(tree))
    assert not tree.exists()
    assert len([*Path("/proc/self/fd").iterdir()]) == descriptors


def test_folders_that_are_shut_are_opened_first(tree: Path) -> None:
    """Run by root this shows nothing; as anybody else, see test_second_user."""
    for name in ("a/b/c", "a/d", "e/f"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_text("")
    for folder in (tree / "a" / "b" / "c", tree / "a" / "b", tree / "a" / "d", tree / "e", tree):
        folder.chmod(0)
    remove_tree(str(tree))
    assert not tree.exists()


def test_a_folder_that_becomes_a_link_meanwhile_does_not_cost_what_that_leads_to(
    tree: Path, precious: Path
) -> None:
    for number in range(removal._AT_ONCE):
        (tree / f"file{number}").write_text("")
    (tree / "later").mkdir()
    steps = removing(str(tree))
    next(steps)
    (tree / "later").rmdir()
    (tree / "later").symlink_to(precious.parent)
    assert list(steps) == []
    assert is_kept(precious)


def test_of_many_files_a_few_are_removed_at_once(tree: Path) -> None:
    for number in range(3 * removal._AT_ONCE + 1):
        (tree / f"{number}").write_text("")
    counts = [len([*tree.iterdir()]) for _ in removing(str(tree))]
    assert [3 * removal._AT_ONCE + 1 - each for each in counts] == [250, 500, 750]
    assert not tree.exists()
