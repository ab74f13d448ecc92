"""A job's folder as a ZIP file beside it (``--archive``).

Symbolic links stay links; sockets, pipes, devices, and what is hidden because it is there only for
a job that runs, are left out. Not responsible for when.
"""

from __future__ import annotations

import os
import stat
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from nrunner.errors import ResultsError

__all__ = ["archive"]

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""A ZIP file knows no time before."""


def archive(folder: Path) -> Path:
    """Pack a folder; return the file. Raise ResultsError, and leave no half a file."""
    target = folder.with_name(folder.name + ".zip")
    spare = folder.with_name(f".{folder.name}.zip.{os.getpid()}")
    try:
        with zipfile.ZipFile(spare, "w", zipfile.ZIP_DEFLATED) as packed:
            spare.chmod(0o600)
            for path in _inside(folder):
                _add(packed, path, path.relative_to(folder).as_posix())
        spare.replace(target)
    except OSError as error:
        raise ResultsError(f"pack {folder}: {error.strerror or error}") from error
    finally:
        spare.unlink(missing_ok=True)
    return target


def _inside(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        if Path(here) == folder:
            folders[:] = [name for name in folders if not name.startswith(".")]
            files = [name for name in files if not name.startswith(".")]
        for name in sorted([*folders, *files]):
            yield Path(here, name)


def _add(packed: zipfile.ZipFile, path: Path, name: str) -> None:
    status = path.lstat()
    mode = status.st_mode
    entry = zipfile.ZipInfo(_encodable(name), max(_EARLIEST, time.localtime(status.st_mtime)[:6]))
    entry.external_attr = mode << 16
    entry.compress_type = packed.compression
    if stat.S_ISLNK(mode):
        packed.writestr(entry, os.fsencode(path.readlink()))
    elif stat.S_ISDIR(mode):
        entry.filename += "/"
        packed.writestr(entry, b"")
    elif stat.S_ISREG(mode):
        with path.open("rb") as source, packed.open(entry, "w", force_zip64=True) as file:
            while piece := source.read(1 << 20):
                file.write(piece)


def _encodable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
