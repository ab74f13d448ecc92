"""A slot: the files and folders that an attempt uses while it runs, recycled by the next one.

Most tests write nothing, so nothing is made for them: stdout and stderr are pipes that stay open
from attempt to attempt, and only what has something in it moves to the task's own folder when the
attempt is over. Not responsible for the payload, nor for the pipes (``nrunner.runners.capture``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator

from nrunner.runners.capture import Capture
from nrunner.runners.folder import make_folder
from nrunner.runners.loop import Loop
from nrunner.runners.removal import PRIVATE, make_private, remove_tree, removing
from nrunner.runners.report import ReportFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Optional

__all__ = ["Slot", "open_log"]

_STREAMS = ("stdout", "stderr")
_SETTLED = 50_000_000
_SETTLED_FOR_SURE = 5_000_000_000
"""Nanoseconds."""
_ADD = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A test may have put a link or a pipe there: neither is followed nor waited for."""


class Slot:
    """One of the places in which attempts run one after another."""

    def __init__(self, folder: str, loop: Optional[Loop] = None) -> None:
        self.folder = folder
        self.work_dir = folder + "/work"
        self.output_dir = folder + "/output"
        self.report = ReportFile(folder + "/report")
        """Where a payload leaves its own report, apart from what a test may delete."""
        self._captures = {name: Capture(f"{folder}/{name}", loop) for name in _STREAMS}
        self._is_ready = False
        self._empty: dict[str, tuple[int, int]] = {}
        """What told of each folder that nothing had changed in it since it was empty."""
        self._cleaned = 0

    def open(self) -> tuple[int, int]:
        """Make everything ready; return where to write stdout and stderr. Raise OSError."""
        if not self._is_ready:
            for folder in (self.work_dir, self.output_dir):
                os.makedirs(folder, PRIVATE, exist_ok=True)
            self._is_ready = True
        return self._captures["stdout"].open(), self._captures["stderr"].open()

    @property
    def pipes(self) -> frozenset[str]:
        """How /proc shows the pipes of this slot among a process's files."""
        return frozenset(capture.mark for capture in self._captures.values())

    def capture(self, name: str) -> Capture:
        """Return what takes one of the streams."""
        return self._captures[name]

    def written(self) -> int:
        """Return how many bytes of output there are so far."""
        return sum(capture.size for capture in self._captures.values())

    def catch_up(self) -> None:
        """Take what was written until now."""
        for capture in self._captures.values():
            capture.drain()

    def collect(
        self, log_dir: str, *, keep_names: bool = False, keep_work: bool = False
    ) -> tuple[str, ...]:
        """Move what has something in it to `log_dir`; return the names. Raise OSError.

        With `keep_names` what is there already stays, and ours is added to ``runner.log``; with
        `keep_work` the temporary folder is kept, too.
        """
        names = []
        for name, capture in self._captures.items():
            capture.drain()
            if capture.trouble:
                raise OSError(capture.trouble)
            if capture.size:
                make_folder(log_dir)
                target = "runner.log" if keep_names else name
                _give_away(capture, f"{log_dir}/{target}")
                names.append(target)
        folders = {"output": self.output_dir}
        if keep_work:
            folders["work"] = self.work_dir
        for name, folder in folders.items():
            if self._has_entries(folder):
                make_folder(log_dir)
                _move(folder, f"{log_dir}/{name}")
                self._is_ready = False
                names.append(name)
        return tuple(dict.fromkeys(names))

    def clean(self) -> Iterator[None]:
        """Forget what the attempt left in its temporary folder.

        What takes longer is left to be gone on with: the slot can be used again meanwhile.
        """
        if not self._has_entries(self.work_dir):
            return iter(())
        self._is_ready = False
        self._cleaned += 1
        rubbish = f"{self.folder}/rubbish-{self._cleaned}"
        try:
            os.rename(self.work_dir, rubbish)
        except OSError:
            rubbish = self.work_dir
        rest = removing(rubbish)
        next(rest, None)
        return rest

    def renew(self) -> None:
        """Have new pipes next time, since somebody may still write to these."""
        for capture in self._captures.values():
            capture.close()
        self.report.close()

    def remove(self) -> None:
        """Close and remove everything."""
        self.renew()
        remove_tree(self.folder)

    def _has_entries(self, folder: str) -> bool:
        try:
            found = os.lstat(folder)
            mark = found.st_ino, found.st_ctime_ns
            if self._empty.get(folder) == mark:
                return False
            if stat.S_ISDIR(found.st_mode):
                mode = stat.S_IMODE(found.st_mode)
                if mode & PRIVATE != PRIVATE:
                    make_private(folder)  # a test has shut it
                with os.scandir(folder) as entries:
                    if next(entries, None) is not None:
                        return True
                if mode != PRIVATE:
                    make_private(folder)  # the next attempt has it as it was
                elif _is_settled(found.st_ctime_ns):
                    self._empty[folder] = mark
                return False
        except OSError:
            pass
        self._is_ready = False
        try:
            # A test may have put something else in place of its folder.
            os.unlink(folder)
        except OSError:
            pass
        return False


def _is_settled(changed: int) -> bool:
    """Say whether a folder that changes now gets another time of change than this one.

    Kernels count it in steps of 10 ms at most, and file systems keep whole seconds at worst.
    """
    since = time.time_ns() - changed
    return since > _SETTLED and (changed % 1_000_000_000 != 0 or since > _SETTLED_FOR_SURE)


def open_log(folder: str, name: str) -> BinaryIO:
    """Open a file for what somebody has to say, behind what it holds; raise OSError."""
    make_folder(folder)
    return open(os.open(f"{folder}/{name}", _ADD, 0o600), "ab", buffering=0)


def _give_away(capture: Capture, target: str) -> None:
    """Have what was written at the target, behind what is there already."""
    file = capture.hand_over()
    try:
        found = _mode(target)
        if stat.S_ISREG(found):
            _append(file, target)
            return
        if found:
            remove_tree(target)  # whatever it is, it is not ours
        try:
            os.rename(capture.path, target)
        except OSError:
            # The test removed our folder or shut it, or the target is on another file system.
            _append(file, target)
    finally:
        os.close(file)


def _move(source: str, target: str) -> None:
    if not os.path.lexists(target):
        try:
            os.rename(source, target)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    _merge(source, target)
    remove_tree(source)


def _merge(source: str, target: str) -> None:
    """Move what is in a folder to another one; of two things with one name, the former stays.

    Across file systems, files, folders and links are copied, and nothing else.
    """
    todo = [(source, target)]
    while todo:
        source, target = todo.pop()
        make_folder(target)
        with os.scandir(source) as entries:
            for entry in entries:
                place = f"{target}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if os.path.lexists(place) or not _rename(entry.path, place):
                        todo.append((entry.path, place))
                elif not _rename(entry.path, place):
                    _copy(entry, place)


def _rename(source: str, target: str) -> bool:
    """Rename; return whether that was possible, on one file system that is."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _copy(entry: os.DirEntry[str], target: str) -> None:
    if entry.is_symlink():
        remove_tree(target)
        os.symlink(os.readlink(entry.path), target)
    elif entry.is_file(follow_symlinks=False):
        remove_tree(target)
        file = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _append(file, target)
        finally:
            os.close(file)


def _mode(path: str) -> int:
    """Return the mode of what is at a path, which says what it is; 0 if nothing is."""
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _append(fd: int, target: str, piece: int = 1 << 20) -> None:
    offset = 0
    with open(os.open(target, _ADD, 0o600), "ab") as file:
        while True:
            data: Optional[bytes] = os.pread(fd, piece, offset)
            if not data:
                return
            file.write(data)
            offset += len(data)
