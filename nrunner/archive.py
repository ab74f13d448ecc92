"""A job's folder as a ZIP file beside it (``--archive``).

Symbolic links stay links; sockets, pipes, devices, and what is hidden because it is there only for
a job that runs, are left out; so is what cannot be read, which is said. Not responsible for when.
"""

from __future__ import annotations

import os
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from nrunner.errors import ResultsError
from nrunner.results.text import visible

__all__ = ["archive"]

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LATEST = (2107, 12, 31, 23, 59, 58)
"""A ZIP file knows no time before the one, nor after the other."""
_Missed = Callable[[Path, OSError], None]
"""Takes note of what cannot be read, and why."""


def archive(folder: Path) -> list[str]:
    """Pack a folder into a file beside it; return in words what in it could not be read.

    Raise ResultsError, and leave no half a file.
    """
    target = folder.with_name(folder.name + ".zip")
    spare = folder.with_name(f".{folder.name}.zip.{os.getpid()}")
    left_out: list[str] = []

    def missed(path: Path, error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        left_out.append(f"{visible(str(path.relative_to(folder)))}: {reason}")

    try:
        with zipfile.ZipFile(spare, "w", zipfile.ZIP_DEFLATED) as packed:
            spare.chmod(0o600)
            for path in _inside(folder, missed):
                _add(packed, path, path.relative_to(folder).as_posix(), missed)
        spare.replace(target)
    except OSError as error:
        raise ResultsError(f"pack {folder}: {error.strerror or error}") from error
    finally:
        spare.unlink(missing_ok=True)
    return left_out


def _inside(folder: Path, missed: _Missed) -> Iterator[Path]:
    todo = [folder]
    while todo:
        here = todo.pop()
        try:
            with os.scandir(here) as entries:
                found = sorted(entries, key=lambda each: each.name)
            folders = [Path(each) for each in found if each.is_dir(follow_symlinks=False)]
        except OSError as error:
            missed(here, error)
            continue
        if here == folder:
            found = [each for each in found if not each.name.startswith(".")]
            folders = [each for each in folders if not each.name.startswith(".")]
        yield from map(Path, found)
        todo += reversed(folders)


def _add(packed: zipfile.ZipFile, path: Path, name: str, missed: _Missed) -> None:
    try:
        status = path.lstat()
        content = _content(path, status.st_mode)
    except OSError as error:
        missed(path, error)
        return
    if content is None:
        return
    entry = zipfile.ZipInfo(_encodable(name), _date(status.st_mtime))
    entry.external_attr = status.st_mode << 16
    entry.compress_type = packed.compression
    if isinstance(content, bytes):
        entry.filename += "/" if stat.S_ISDIR(status.st_mode) else ""
        packed.writestr(entry, content)
        return
    with content, packed.open(entry, "w", force_zip64=True) as file:
        while piece := content.read(1 << 20):
            file.write(piece)


def _content(path: Path, mode: int) -> bytes | IO[bytes] | None:
    """Return what is packed of a file, None for what has nothing; raise OSError."""
    if stat.S_ISLNK(mode):
        return os.fsencode(path.readlink())
    if stat.S_ISDIR(mode):
        return b""
    return path.open("rb") if stat.S_ISREG(mode) else None


def _date(seconds: float) -> tuple[int, int, int, int, int, int]:
    """Return the local time nearest to that of a file, which a test may have set to any."""
    try:
        found = time.localtime(seconds)[:6]
    except (OverflowError, OSError):
        return _EARLIEST if seconds < 0 else _LATEST
    return min(max(found, _EARLIEST), _LATEST)


def _encodable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
