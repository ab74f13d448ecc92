"""Removing folders: bit by bit, and never anything else, whatever was put into them.

A test may leave a million files, folders in each other deeper than a path can name, folders that
are shut, and processes that put links in their place meanwhile. So folders are opened without
following links, everything is named relative to what is open, and what is deep is moved up first.
Not responsible for which folders are removed.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["PRIVATE", "make_private", "remove_tree", "removing"]

PRIVATE = 0o700
"""The mode of a folder that is its owner's alone."""
_AT_ONCE = 250
"""Entries that are removed before others have their turn: some milliseconds."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(folder: str) -> None:
    """Remove a folder and all in it, as far as that is possible; links are not followed."""
    for _ in removing(folder):
        pass


def removing(folder: str) -> Iterator[None]:
    """Remove a folder as `remove_tree` does; others may have their turn at each step."""
    root = _open(folder)
    if root is None:
        try:
            # A test may have put something else there: a link's target is not ours.
            os.unlink(folder)
        except OSError:
            pass
        return
    try:
        yield from _empty(root)
    finally:
        os.close(root)
    try:
        os.rmdir(folder)
    except OSError:
        pass


def make_private(folder: str, root: Optional[int] = None) -> None:
    """Have a folder open to its owner and to nobody else, whatever it was; raise OSError."""
    place = os.open(folder, _PLACE | os.O_DIRECTORY, dir_fd=root)
    try:
        # By way of what is open, so that it is the folder itself and nothing that a link leads to.
        os.chmod(f"/proc/self/fd/{place}", PRIVATE)
    finally:
        os.close(place)


def _empty(root: int) -> Iterator[None]:
    prefix = f".{os.urandom(6).hex()}-"
    moved = count = 0
    todo = [""]
    while todo:
        name = todo.pop()
        folder = _open(name, root) if name else root
        if folder is None:
            continue
        try:
            for entry in _entries(folder):
                if not _is_folder(entry):
                    _unlink(entry.name, folder)
                elif not name:
                    todo.append(entry.name)
                else:
                    moved += 1
                    todo += _move_up(entry.name, folder, f"{prefix}{moved}", root)
                count += 1
                if count % _AT_ONCE == 0:
                    yield
        finally:
            if name:
                os.close(folder)
        if name:
            _rmdir(name, root)


def _entries(folder: int) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        pass


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _open(name: str, root: Optional[int] = None) -> Optional[int]:
    """Open a folder, by force if it is shut; None if it is no folder."""
    try:
        return os.open(name, _FOLDER, dir_fd=root)
    except PermissionError:
        pass
    except OSError:
        return None
    try:
        make_private(name, root)
        return os.open(name, _FOLDER, dir_fd=root)
    except OSError:
        return None


def _move_up(name: str, folder: int, new: str, root: int) -> list[str]:
    """Move a folder to the root; return its name there, nothing if that was not possible."""
    # One that is not writable cannot be moved, since it knows the folder it is in.
    opened = _open(name, folder)
    if opened is not None:
        try:
            os.fchmod(opened, PRIVATE)
        except OSError:
            pass
        os.close(opened)
    try:
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=root)
    except OSError:
        return []
    return [new]


def _unlink(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass


def _rmdir(name: str, folder: int) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        pass
